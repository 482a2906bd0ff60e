//! The meaning of keys.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What the user wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Submit,
    /// Choose a failure.
    Menu,
    Help,
    Show(Tab),
    /// Open or run the chosen entry.
    Enter,
    Back,
    Move(Way),
    Quit,
}

/// A view of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Tree,
    Explanation,
    Logs,
}

/// A movement in a list or a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
}

/// The action of a key, which is the same on every screen.
pub(super) fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Action::Quit);
    }
    Some(match key.code {
        KeyCode::Char('q') => Action::Quit,
        KeyCode::Char('s') => Action::Submit,
        KeyCode::Char('f') => Action::Menu,
        KeyCode::Char('?') => Action::Help,
        KeyCode::Char('t') => Action::Show(Tab::Tree),
        KeyCode::Char('e') => Action::Show(Tab::Explanation),
        KeyCode::Char('l') => Action::Show(Tab::Logs),
        KeyCode::Enter => Action::Enter,
        KeyCode::Esc | KeyCode::Backspace => Action::Back,
        KeyCode::Up | KeyCode::Char('k') => Action::Move(Way::Up),
        KeyCode::Down | KeyCode::Char('j') => Action::Move(Way::Down),
        KeyCode::PageUp => Action::Move(Way::PageUp),
        KeyCode::PageDown | KeyCode::Char(' ') => Action::Move(Way::PageDown),
        KeyCode::Home | KeyCode::Char('g') => Action::Move(Way::First),
        KeyCode::End | KeyCode::Char('G') => Action::Move(Way::Last),
        KeyCode::Left => Action::Move(Way::Left),
        KeyCode::Right => Action::Move(Way::Right),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_action_and_others_have_none() {
        let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        let released = KeyEvent::new_with_kind(KeyCode::Char('q'), KeyModifiers::NONE, KeyEventKind::Release);
        for (key, expected) in [
            (plain(KeyCode::Char('s')), Some(Action::Submit)),
            (plain(KeyCode::Char('f')), Some(Action::Menu)),
            (plain(KeyCode::Char('?')), Some(Action::Help)),
            (plain(KeyCode::Char('t')), Some(Action::Show(Tab::Tree))),
            (plain(KeyCode::Char('e')), Some(Action::Show(Tab::Explanation))),
            (plain(KeyCode::Char('l')), Some(Action::Show(Tab::Logs))),
            (plain(KeyCode::Enter), Some(Action::Enter)),
            (plain(KeyCode::Esc), Some(Action::Back)),
            (plain(KeyCode::Up), Some(Action::Move(Way::Up))),
            (plain(KeyCode::Char('j')), Some(Action::Move(Way::Down))),
            (plain(KeyCode::Char(' ')), Some(Action::Move(Way::PageDown))),
            (plain(KeyCode::Home), Some(Action::Move(Way::First))),
            (plain(KeyCode::Right), Some(Action::Move(Way::Right))),
            (plain(KeyCode::Char('q')), Some(Action::Quit)),
            (control('c'), Some(Action::Quit)),
            (control('s'), None),
            (released, None),
            (plain(KeyCode::Char('x')), None),
            (plain(KeyCode::F(1)), None),
        ] {
            assert_eq!(action(key), expected, "{key:?}");
        }
    }
}
