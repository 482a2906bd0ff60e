use proto::domain::{Principal, SiteMembership};
use proto::user as pb;
use service_kit::error::Reason;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::identity::AccessTokens;
use crate::store;

/// Returns the token's holder and the sites that they may see.
pub(crate) async fn authenticate(
    db: &Db,
    tokens: &AccessTokens,
    request: &pb::AuthenticateRequest,
) -> Result<pb::AuthenticateResponse, UserError> {
    let session_id = tokens.verify(db, &request.access_token).await?;
    let memberships = store::session::find_memberships(db, session_id).await?;
    let person = memberships.first().ok_or(UserError::Refused(Reason::InvalidToken))?;
    if !person.active {
        return Err(UserError::Refused(Reason::Inactive));
    }
    let role = person.role;
    let person_id = person.person_id.to_string();
    let sites = memberships
        .into_iter()
        .filter_map(|membership| {
            Some(SiteMembership {
                site_id: membership.site_id?.to_string(),
                care_team: membership.care_team.unwrap_or_default().iter().map(ToString::to_string).collect(),
            })
        })
        .collect();
    let principal = Some(Principal { person_id, role: role.into(), sites });
    Ok(pb::AuthenticateResponse { principal })
}
