use telemetry::smtp::{Command, EnhancedCode, Reply};

use crate::channel::Outcome;

/// The outcome of a refused mail.
///
/// Only a permanent refusal of the mailbox ends a notification. All other refusals, permanent or not, such as of our
/// host, our name or the text, are not the fault of the nurse's address: the mail waits until somebody has fixed the
/// cause. If the server has accepted the sender and refuses one recipient, by greylisting or by a rule of that
/// recipient, it still works for others.
pub(super) fn outcome(command: Command, reply: Reply) -> Outcome {
    let later = Outcome::ProviderError { retry_after: None };
    let of_mailbox = match (command, reply.enhanced) {
        (Command::Recipient | Command::Text, Some(code)) => is_of_mailbox(code),
        // RFC 5321, section 4.2.3: mailbox unavailable, user not local, mailbox full, name not allowed.
        (Command::Recipient, None) => [450, 452, 550, 551, 552, 553].contains(&reply.code),
        _ => false,
    };
    match reply.enhanced {
        Some(EnhancedCode { subject: 4, detail: 5, .. }) => Outcome::Throttled { retry_after: None },
        _ if reply.code == CLOSING => later,
        _ if of_mailbox && is_for_good(reply) => Outcome::Rejected,
        _ if of_mailbox || command == Command::Recipient => Outcome::Deferred,
        _ => later,
    }
}

/// RFC 5321, section 4.2.3: the server shuts down. It may answer any command with this.
const CLOSING: u16 = 421;

/// RFC 3463, sections 3.2 and 3.3: the codes about addresses, except the sender's, and about mailboxes.
fn is_of_mailbox(code: EnhancedCode) -> bool {
    matches!((code.subject, code.detail), (1, detail) if detail != 7 && detail != 8) || code.subject == 2
}

fn is_for_good(reply: Reply) -> bool {
    match reply.enhanced {
        // RFC 3463 calls a full mailbox (2.2) and a list that is not expanded (2.4) persistent transient failures,
        // whatever class they are sent with.
        Some(code) => reply.code >= 500 && code.class == 5 && !matches!((code.subject, code.detail), (2, 2 | 4)),
        // RFC 5321, section 4.5.3.1.10: a 552 for a recipient means the same as a 452.
        None => reply.code >= 500 && reply.code != 552,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Outcome = Outcome::ProviderError { retry_after: None };

    fn of(command: Command, code: u16, enhanced: Option<(u16, u16, u16)>) -> Outcome {
        let enhanced = enhanced.map(|(class, subject, detail)| EnhancedCode { class, subject, detail });
        outcome(command, Reply { code, enhanced })
    }

    #[test]
    fn a_mailbox_that_is_refused_for_good_is_and_one_that_is_full_is_not() {
        for (code, enhanced, expected) in [
            (550, None, Outcome::Rejected),
            (551, None, Outcome::Rejected),
            (553, None, Outcome::Rejected),
            (552, None, Outcome::Deferred),
            (450, None, Outcome::Deferred),
            (452, None, Outcome::Deferred),
            (550, Some((5, 1, 1)), Outcome::Rejected),
            (554, Some((5, 1, 10)), Outcome::Rejected),
            (550, Some((5, 2, 1)), Outcome::Rejected),
            (552, Some((5, 2, 2)), Outcome::Deferred),
            (452, Some((4, 2, 2)), Outcome::Deferred),
            (550, Some((4, 1, 1)), Outcome::Deferred),
        ] {
            assert_eq!(of(Command::Recipient, code, enhanced), expected, "{code} {enhanced:?}");
        }
    }

    #[test]
    fn a_refusal_that_is_not_about_the_mailbox_costs_no_mail() {
        for (code, enhanced) in [
            (451, None),
            (503, None),
            (554, None),
            // the sender's address
            (550, Some((5, 1, 8))),
            (553, Some((5, 1, 7))),
            // greylisting, the server, the route, the protocol, the permission to send
            (451, Some((4, 7, 1))),
            (550, Some((5, 3, 2))),
            (550, Some((5, 4, 1))),
            (504, Some((5, 5, 2))),
            (550, Some((5, 7, 1))),
        ] {
            assert_eq!(of(Command::Recipient, code, enhanced), Outcome::Deferred, "{code} {enhanced:?}");
            assert_eq!(of(Command::Mail, code, enhanced), LATER, "{code} {enhanced:?}");
        }
        assert_eq!(of(Command::Recipient, 421, Some((4, 3, 2))), LATER);
    }

    #[test]
    fn a_quota_that_is_used_up_is_not_for_good() {
        let throttled = Outcome::Throttled { retry_after: None };
        for command in [Command::Mail, Command::Recipient, Command::Data, Command::Text] {
            assert_eq!(of(command, 550, Some((5, 4, 5))), throttled, "{command:?}");
            assert_eq!(of(command, 452, Some((4, 4, 5))), throttled, "{command:?}");
        }
    }

    #[test]
    fn whatever_is_said_before_the_recipient_is_about_us() {
        for command in [Command::Session, Command::Mail, Command::Data] {
            for enhanced in [None, Some((5, 1, 1)), Some((5, 7, 1))] {
                assert_eq!(of(command, 550, enhanced), LATER, "{command:?} {enhanced:?}");
            }
        }
    }

    #[test]
    fn a_text_is_refused_for_its_mailbox_only_if_that_is_said() {
        assert_eq!(of(Command::Text, 550, Some((5, 1, 1))), Outcome::Rejected);
        assert_eq!(of(Command::Text, 552, Some((5, 2, 2))), Outcome::Deferred);
        assert_eq!(of(Command::Text, 550, None), LATER);
        assert_eq!(of(Command::Text, 554, Some((5, 6, 0))), LATER);
    }
}
