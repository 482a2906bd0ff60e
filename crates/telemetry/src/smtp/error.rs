use std::error::Error as _;

use lettre::transport::smtp;

/// Why a mail was not, or may not have been, taken by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server has refused a command, or the text.
    #[error("the mail server answered {}", .reply.code)]
    Refused { command: Command, reply: Reply },
    /// The server was not reached, or went away before the text was sent: it has not taken the mail.
    #[error("the mail server cannot be reached")]
    Connection,
    /// The server did not answer in time, before the text was sent: it has not taken the mail.
    #[error("the mail server did not answer in time")]
    Timeout,
    /// The server cannot do what the mail or the configuration needs, such as TLS.
    #[error("the mail server cannot do what is needed")]
    Unable,
    /// The text was sent and the server did not answer: it may have taken the mail, or not.
    #[error("the mail server did not say whether it has taken the mail")]
    Unanswered,
}

/// The command that a reply answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// The connection, EHLO, STARTTLS or the authentication.
    Session,
    /// MAIL, with the sender's address.
    Mail,
    /// RCPT, with the recipient's address.
    Recipient,
    /// DATA, which announces the text.
    Data,
    /// The text.
    Text,
}

/// A reply without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Three digits, RFC 5321, section 4.2.
    pub code: u16,
    pub enhanced: Option<EnhancedCode>,
}

/// An enhanced status code, RFC 3463: the class says whether a failure is permanent (5) or temporary (4), subject and
/// detail say what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode {
    pub class: u16,
    pub subject: u16,
    pub detail: u16,
}

impl Error {
    /// Translates lettre's error of a failed command.
    pub(super) fn new(command: Command, error: &smtp::Error) -> Self {
        match error.status() {
            Some(code) => {
                let words = error.source().map(ToString::to_string).unwrap_or_default();
                let reply = Reply { code: code.into(), enhanced: EnhancedCode::first_of(&words) };
                Self::Refused { command, reply }
            }
            None if command == Command::Text => Self::Unanswered,
            None if error.is_client() => Self::Unable,
            None if error.is_timeout() => Self::Timeout,
            None => Self::Connection,
        }
    }
}

impl EnhancedCode {
    /// The code with which a reply begins (RFC 2034, section 4), if there is one.
    fn first_of(words: &str) -> Option<Self> {
        let mut parts = words.split([' ', '\t', '\r', '\n']).next()?.split('.');
        let mut next = |longest| {
            let digits = parts.next()?;
            let is_number = digits.len() <= longest && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        let code = Self { class: next(1)?, subject: next(3)?, detail: next(3)? };
        (matches!(code.class, 2 | 4 | 5) && parts.next().is_none()).then_some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_code_is_the_first_word_of_a_reply_and_nothing_like_it() {
        let code = |class, subject, detail| Some(EnhancedCode { class, subject, detail });
        for (words, expected) in [
            ("5.4.5 Daily sending quota exceeded", code(5, 4, 5)),
            ("4.7.28", code(4, 7, 28)),
            ("5.1.1\tno such user", code(5, 1, 1)),
            ("no such user 5.1.1", None),
            ("5.1.1.2 is an address", None),
            ("5.1", None),
            ("3.1.1 is no class", None),
            ("5.1.1234 is too long", None),
            ("5.+1.1 is no number", None),
            ("", None),
        ] {
            assert_eq!(EnhancedCode::first_of(words), expected, "{words}");
        }
    }
}
