use serde::{Deserialize, Deserializer};

/// Whose context is believed, and who is told ours: one row for each boundary of a service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trust {
    /// Requests of strangers: what the service takes from the open network.
    pub ingress: Incoming,
    /// Requests that a page of the same origin makes, as its browser says in `Sec-Fetch-Site`. A stranger can say so
    /// too, and learns nothing by it.
    pub page: Incoming,
    /// Calls between services of the same owner, in both directions.
    #[serde(deserialize_with = "mesh")]
    pub mesh: Incoming,
    /// Requests to strangers: providers, other people's services.
    pub egress: Egress,
}

/// What is taken from a caller, and between services also handed on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Incoming {
    /// What becomes of the caller's trace.
    pub trace: Continuation,
    /// Whether its `tracestate` is kept.
    pub state: bool,
    /// Keys of its baggage that are kept; all others are dropped.
    pub baggage: Vec<String>,
}

/// What a stranger is told.
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

/// What becomes of a caller's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Continuation {
    /// Ours is a part of it, and is kept if it is.
    Continue,
    /// Ours is a trace of its own that points to it.
    #[default]
    Link,
    /// Ours is a trace of its own that begins with the caller's span, of which nothing but the id is taken: the caller
    /// can neither name a trace nor have it kept. Its span is told later, to a [`crate::Relay`].
    Adopt,
    /// Nothing.
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

/// [`Incoming`] between services: what is not said is not what strangers get.
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

/// What may pass a boundary inwards or outwards.
pub(crate) struct Outgoing<'t> {
    /// Whether the ids of the trace leave.
    pub(crate) trace: bool,
    pub(crate) state: bool,
    pub(crate) baggage: &'t [String],
}

impl Trust {
    /// What is taken from a caller at this boundary; nobody calls from beyond the egress.
    pub(crate) fn incoming(&self, boundary: Boundary) -> &Incoming {
        match boundary {
            Boundary::Ingress | Boundary::Egress => &self.ingress,
            Boundary::Page => &self.page,
            Boundary::Mesh => &self.mesh,
        }
    }

    /// Whether the other side of this boundary has the same trace, and is believed to keep it for a reason.
    pub(crate) fn shares_traces(&self, boundary: Boundary) -> bool {
        boundary == Boundary::Mesh && self.mesh.trace == Continuation::Continue
    }

    /// What the other side of this boundary is told.
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
