use serde::{Deserialize, Deserializer};

/// Which callers' context is trusted and who receives ours: one row for each boundary of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Requests of strangers: what the service takes from the open network.
    pub ingress: Incoming,
    /// Requests that a page of the same origin makes, as its browser says in `Sec-Fetch-Site`. A stranger can send this
    /// header too, but learns nothing by it.
    pub page: Incoming,
    /// Calls between services of the same owner, in both directions.
    #[serde(deserialize_with = "mesh")]
    pub mesh: Incoming,
    /// Requests to strangers: providers, other people's services.
    pub egress: Egress,
}

/// What is taken from a caller, and between services also sent on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incoming {
    /// What happens to the caller's trace.
    pub trace: Continuation,
    /// Whether its `tracestate` is kept.
    pub state: bool,
    /// Keys of its baggage that are kept; all others are dropped.
    pub baggage: Vec<String>,
}

/// What is sent to a stranger.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Egress {
    /// Whether it gets the ids of the trace.
    pub trace: bool,
    /// Whether it gets `tracestate`.
    pub state: bool,
    /// Keys of the baggage that it gets.
    pub baggage: Vec<String>,
}

/// What happens to a caller's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Continuation {
    /// Our spans become part of it and follow its sampling decision.
    Continue,
    /// Our spans form a trace of their own with a link to it.
    #[default]
    Link,
    /// Our spans form a trace of their own below the caller's span. Nothing but the id of that span is taken: the
    /// caller can neither choose the trace id nor have the trace kept. The span itself can be exported later by a
    /// [`crate::Relay`].
    Adopt,
    /// Nothing is taken from it.
    Ignore,
}

/// Where a request crosses into a service or out of it: the row of [`Trust`] that holds for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// From a stranger.
    Ingress,
    /// From a page of the same origin.
    Page,
    /// Between services of the same owner.
    Mesh,
    /// To a stranger.
    Egress,
}

impl Default for Incoming {
    fn default() -> Self {
        Self { trace: Continuation::Link, state: false, baggage: Vec::new() }
    }
}

impl Default for Trust {
    fn default() -> Self {
        Self {
            ingress: Incoming::default(),
            page: Incoming::default(),
            mesh: Mesh::default().into(),
            egress: Egress::default(),
        }
    }
}

/// [`Incoming`] between services: its defaults differ from those for strangers.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Mesh {
    trace: Continuation,
    state: bool,
    baggage: Vec<String>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self { trace: Continuation::Continue, state: true, baggage: Vec::new() }
    }
}

impl From<Mesh> for Incoming {
    fn from(Mesh { trace, state, baggage }: Mesh) -> Self {
        Self { trace, state, baggage }
    }
}

fn mesh<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Incoming, D::Error> {
    Mesh::deserialize(deserializer).map(Incoming::from)
}

/// What may leave through a boundary.
pub(crate) struct Outgoing<'t> {
    /// Whether the ids of the trace leave.
    pub(crate) trace: bool,
    pub(crate) state: bool,
    pub(crate) baggage: &'t [String],
}

impl Trust {
    /// What is taken from a caller at this boundary. No request comes in through the egress.
    pub(crate) fn incoming(&self, boundary: Boundary) -> &Incoming {
        match boundary {
            Boundary::Ingress | Boundary::Egress => &self.ingress,
            Boundary::Page => &self.page,
            Boundary::Mesh => &self.mesh,
        }
    }

    /// Whether both sides of this boundary share traces, so that the other side's decision to keep one is trusted.
    pub(crate) fn shares_traces(&self, boundary: Boundary) -> bool {
        boundary == Boundary::Mesh && self.mesh.trace == Continuation::Continue
    }

    /// What is sent to the other side of this boundary.
    pub(crate) fn outgoing(&self, boundary: Boundary) -> Outgoing<'_> {
        let Self { mesh, egress, .. } = self;
        match boundary {
            Boundary::Mesh => {
                Outgoing { trace: mesh.trace != Continuation::Ignore, state: mesh.state, baggage: &mesh.baggage }
            }
            Boundary::Ingress | Boundary::Page | Boundary::Egress => {
                Outgoing { trace: egress.trace, state: egress.state, baggage: &egress.baggage }
            }
        }
    }
}
