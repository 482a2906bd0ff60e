use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use super::{Fields, JsonObject};
use crate::problem::Problem;

/// What a route takes as its body: one type that is read, checked and described.
pub(crate) trait Body: Sized {
    /// Reads it field by field. None only where a field is wrong, which `fields` knows then.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A JSON body, with its bytes as they came. Everything that is wrong with it is said at once.
pub(crate) struct JsonBody<T> {
    pub(crate) value: T,
    pub(crate) raw: Bytes,
}

impl<S: Send + Sync, T: Body> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonObject { object, raw } = JsonObject::from_request(request, state).await?;
        let mut fields = Fields::of(object);
        let value = T::read(&mut fields);
        fields.finish()?;
        Ok(Self { value: value.ok_or(Problem::INTERNAL)?, raw })
    }
}
