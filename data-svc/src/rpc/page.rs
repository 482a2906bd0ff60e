//! Pagination.

/// Cuts a list that was read with one entry more than `limit`. If that entry is there, there is another page, and the
/// cursor of the last entry that is shown is returned.
pub(super) fn cut<T, P>(entries: &mut Vec<T>, limit: i64, cursor: impl Fn(&T) -> P) -> Option<P> {
    let shown = usize::try_from(limit).ok()?;
    let more = entries.len() > shown;
    entries.truncate(shown);
    entries.last().filter(|_| more).map(cursor)
}

#[cfg(test)]
mod tests {
    use proto::domain::Cursor;

    use super::*;

    #[test]
    fn a_page_has_a_next_one_if_there_is_more() {
        let cursor = |entry: &u8| Cursor { time: None, id: entry.to_string() };
        for (read, shown, next) in
            [(&[][..], &[][..], None), (&[1, 2], &[1, 2], None), (&[1, 2, 3], &[1, 2], Some("2".to_owned()))]
        {
            let mut entries = read.to_vec();
            assert_eq!(cut(&mut entries, 2, cursor).map(|cursor| cursor.id), next);
            assert_eq!(entries, shown);
        }
    }
}
