use opentelemetry::KeyValue;
use std::sync::Arc;
use std::time::Duration;

use super::Meters;
use crate::conventions::{
    DB_CLIENT_CONNECTION_COUNT, DB_CLIENT_CONNECTION_MAX, DB_CLIENT_CONNECTION_PENDING_REQUESTS,
    DB_CLIENT_CONNECTION_POOL_NAME, DB_CLIENT_CONNECTION_STATE,
};
use crate::postgres::pool::Pool;

impl Meters {
    /// How long a caller has waited for a connection of a pool, and whether in vain.
    pub(crate) fn connection_waited(&self, name: &Arc<str>, wait: Duration, timed_out: bool) {
        let of_pool = [KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, Arc::clone(name))];
        if timed_out {
            self.connection_timeouts.add(1, &of_pool);
        } else {
            self.connection_wait.record(wait.as_secs_f64(), &of_pool);
        }
    }

    /// Shows the connections of a pool, `name`, and who waits for one.
    pub(crate) fn observe_connections(&self, name: &Arc<str>, pool: &Arc<Pool>) {
        let of_pool = KeyValue::new(DB_CLIENT_CONNECTION_POOL_NAME, Arc::clone(name));
        let (attributes, counted) = (of_pool.clone(), Arc::clone(pool));
        let count = self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_COUNT).with_unit("{connection}");
        count
            .with_callback(move |observer| {
                let idle = i64::try_from(counted.count_idle()).unwrap_or(i64::MAX);
                for (state, count) in [("idle", idle), ("used", i64::from(counted.connections.size()) - idle)] {
                    let state = KeyValue::new(DB_CLIENT_CONNECTION_STATE, state);
                    observer.observe(count.max(0), &[attributes.clone(), state]);
                }
            })
            .build();
        let attributes = of_pool.clone();
        let max = self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_MAX).with_unit("{connection}");
        let most = i64::from(pool.connections.options().get_max_connections());
        max.with_callback(move |observer| observer.observe(most, std::slice::from_ref(&attributes))).build();
        let pending = self.meter.i64_observable_up_down_counter(DB_CLIENT_CONNECTION_PENDING_REQUESTS);
        let waiting = Arc::clone(pool);
        let observe = move || i64::from(waiting.waiting());
        pending
            .with_unit("{request}")
            .with_callback(move |observer| observer.observe(observe(), std::slice::from_ref(&of_pool)))
            .build();
    }
}
