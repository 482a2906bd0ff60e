use proto::user as pb;
use telemetry::postgres::Db;

use crate::error::UserError;
use crate::store;

/// The active nurses of a site with their addresses.
pub(crate) async fn list_site_contacts(
    db: &Db,
    request: &pb::ListSiteContactsRequest,
) -> Result<pb::ListSiteContactsResponse, UserError> {
    let site_id = request.site_id.parse().map_err(|_| UserError::Malformed("site_id"))?;
    let contacts = store::contact::list_of_site(db, site_id)
        .await?
        .into_iter()
        .map(|contact| pb::Contact {
            person_id: contact.person_id.to_string(),
            phone: contact.phone,
            email: contact.email,
        })
        .collect();
    Ok(pb::ListSiteContactsResponse { contacts })
}
