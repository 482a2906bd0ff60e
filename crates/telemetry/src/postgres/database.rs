use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use sqlx::postgres::PgConnectOptions;

use super::summary::Summary;
use crate::conventions::{
    DB_COLLECTION_NAME, DB_NAMESPACE, DB_OPERATION_NAME, DB_QUERY_SUMMARY, DB_QUERY_TEXT, DB_SYSTEM_NAME,
    SERVER_ADDRESS, SERVER_PORT,
};
use crate::telemetry::Owner;

/// The most statements whose metadata are cached. A program has some hundreds, but texts made at run time are
/// unlimited.
const TEXTS: usize = 2_000;

/// The database's address, and the cached metadata of its statements.
pub(crate) struct Database {
    pub(crate) owner: Owner,
    address: Arc<str>,
    port: u16,
    pub(crate) name: Arc<str>,
    /// How long the server may take for an answer.
    pub(crate) statement_timeout: Option<Duration>,
    statements: RwLock<HashMap<Place, Known>>,
}

/// Where a text lies in memory: the fastest key to find it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    start: usize,
    length: usize,
    parameterised: bool,
}

struct Known {
    text: Arc<str>,
    metadata: Arc<Metadata>,
}

/// What every span of a statement shows, worked out once per text.
#[derive(Debug)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) attributes: Vec<KeyValue>,
}

impl Database {
    pub(crate) fn of(options: &PgConnectOptions, statement_timeout: Option<Duration>) -> Self {
        let name = options.get_database().unwrap_or_else(|| options.get_username());
        Self {
            owner: Owner::of_caller(),
            address: options.get_host().into(),
            port: options.get_port(),
            name: name.into(),
            statement_timeout,
            statements: RwLock::default(),
        }
    }

    /// The metadata of a statement. Its text is included only if `parameterised`: otherwise it may hold values.
    pub(crate) fn metadata(&self, text: &str, parameterised: bool) -> Arc<Metadata> {
        let place = Place { start: text.as_ptr().addr(), length: text.len(), parameterised };
        {
            let statements = self.statements.read().unwrap_or_else(PoisonError::into_inner);
            // Another text may be at this place by now.
            if let Some(known) = statements.get(&place)
                && *known.text == *text
            {
                return Arc::clone(&known.metadata);
            }
        }
        let text: Arc<str> = text.into();
        let metadata = Arc::new(Metadata::of_query(self, &text, parameterised));
        let mut statements = self.statements.write().unwrap_or_else(PoisonError::into_inner);
        if statements.len() < TEXTS || statements.contains_key(&place) {
            statements.insert(place, Known { text, metadata: Arc::clone(&metadata) });
        }
        metadata
    }
}

impl Metadata {
    fn of_query(database: &Database, text: &Arc<str>, parameterised: bool) -> Self {
        let summary = Summary::of(text);
        let shown = summary.text();
        if shown.is_empty() {
            // A statement of another kind: its first word says which.
            let name = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            let mut attributes = database.attributes(None);
            attributes.push(KeyValue::new(DB_QUERY_SUMMARY, Arc::<str>::from(&*name)));
            return Self { name, attributes };
        }
        let mut attributes = database.attributes(summary.schema());
        attributes.extend(summary.operation().map(|operation| KeyValue::new(DB_OPERATION_NAME, operation)));
        attributes.extend(summary.target().map(|target| KeyValue::new(DB_COLLECTION_NAME, Arc::<str>::from(target))));
        attributes.push(KeyValue::new(DB_QUERY_SUMMARY, Arc::<str>::from(&*shown)));
        if parameterised {
            attributes.push(KeyValue::new(DB_QUERY_TEXT, Arc::clone(text)));
        }
        Self { name: shown, attributes }
    }

    pub(crate) fn of_command(database: &Database, command: &'static str) -> Self {
        let mut attributes = database.attributes(None);
        attributes.push(KeyValue::new(DB_OPERATION_NAME, command));
        attributes.push(KeyValue::new(DB_QUERY_SUMMARY, command));
        Self { name: command.to_owned(), attributes }
    }
}

impl Database {
    fn attributes(&self, schema: Option<&str>) -> Vec<KeyValue> {
        let namespace =
            schema.map_or_else(|| Arc::clone(&self.name), |schema| Arc::from(format!("{}|{schema}", self.name)));
        let mut attributes = Vec::with_capacity(8);
        attributes.push(KeyValue::new(DB_SYSTEM_NAME, "postgresql"));
        attributes.push(KeyValue::new(DB_NAMESPACE, namespace));
        attributes.push(KeyValue::new(SERVER_ADDRESS, Arc::clone(&self.address)));
        attributes.push(KeyValue::new(SERVER_PORT, i64::from(self.port)));
        attributes
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.address, self.port, self.name)
    }
}
