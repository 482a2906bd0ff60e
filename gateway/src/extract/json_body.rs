use axum::body::Bytes;
use axum::extract::{FromRequest, Request};

use super::{Fields, JsonObject};
use crate::problem::Problem;

/// The type of a route's body: it is read, checked and described by the same type.
pub(crate) trait Body: Sized {
    /// Reads the body field by field. Returns none only if a field is wrong, which is then recorded in `fields`.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A JSON body with its raw bytes. All its errors are reported at once.
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
