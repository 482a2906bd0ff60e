use opentelemetry::KeyValue;
use std::sync::Arc;
use std::time::Duration;

use super::Meters;
use crate::conventions::{
    DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX, DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_POOL_NAME, DB_CLIENT_CONNECTION_STATE,
};

impl Meters {
    /// Counts a timed-out wait for a connection of a pool, or measures how long a successful one took.
    pub(crate) fn connection_waited(&self, name: &Arc<str>, wait: Duration, timed_out: bool) {
        let of_pool = [KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, Arc::clone(name))];
        if timed_out {
            self.connection_timeouts.add(1, &of_pool);
        } else {
            self.connection_wait.record(wait.as_secs_f64(), &of_pool);
        }
    }

    /// Shows the connections of the pool `name` of at most `max` connections: `count` gives how many are idle and how
    /// many there are, `pending` how many callers wait for one.
    pub(crate) fn observe_connections(
        &self,
        name: &Arc<str>,
        max: u32,
        count: impl Fn() -> (usize, u32) + Send + Sync + 'static,
        pending: impl Fn() -> u32 + Send + Sync + 'static,
    ) {
        let of_pool = KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, Arc::clone(name));
        let attributes = of_pool.clone();
        let instrument =
            self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_COUNT).with_unit("{connection}");
        let observe = move || {
            let (idle, all) = count();
            let idle = i64::try_from(idle).unwrap_or(i64::MAX);
            [("idle", idle), ("used", i64::from(all) - idle)]
        };
        instrument
            .with_callback(move |observer| {
                for (state, count) in observe() {
                    let state = KeyValue::new(DB_CLIENT_CONNECTION_STATE, state);
                    observer.observe(count.max(0), &[attributes.clone(), state]);
                }
            })
            .build();
        let attributes = of_pool.clone();
        let instrument = self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_MAX).with_unit("{connection}");
        instrument
            .with_callback(move |observer| observer.observe(i64::from(max), std::slice::from_ref(&attributes)))
            .build();
        let instrument = self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_PENDING_REQUESTS);
        instrument
            .with_unit("{request}")
            .with_callback(move |observer| observer.observe(i64::from(pending()), std::slice::from_ref(&of_pool)))
            .build();
    }
}
