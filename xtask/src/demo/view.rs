//! Draws the model, or the progress of the start, as a screen.

mod list;
mod starting;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, List, ListState, Paragraph, Wrap};

use super::keys::Tab;
use super::model::{Front, Model, Page};
use super::page;
use super::row::{Mood, Row};

pub(super) use starting::draw_starting;

/// Draws everything.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let [header, body, footer] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(3), Constraint::Length(1)]).areas(frame.area());
    frame.render_widget(Paragraph::new(vec![title(&model.gateway), keys(&model.front).dim()]), header);
    match &model.front {
        Front::List => list::draw(model, frame, body),
        Front::Menu(at) => {
            list::draw(model, frame, body);
            draw_menu(model, *at, frame, body);
        }
        Front::Page(page, scroll) => draw_page(model, page, *scroll, frame, body),
    }
    frame.render_widget(Paragraph::new(status(model)), footer);
}

fn title(gateway: &str) -> Line<'static> {
    Line::from(vec![" epro demo ".bold().reversed(), format!("  gateway {gateway}").into()])
}

fn keys(front: &Front) -> Line<'static> {
    Line::from(match front {
        Front::List => " s submit  f fail  ↑↓ choose  Enter tree  e explain  l log  ? help  q quit",
        Front::Menu(_) => " ↑↓ choose  Enter make it fail  Esc back  q quit",
        Front::Page(..) => " ↑↓←→ move  t tree  e explain  l log  Esc back  s submit  f fail  q quit",
    })
}

/// The progress or result of the last action.
fn status(model: &Model) -> Line<'static> {
    match &model.failing {
        Some((_, name)) => Line::from(format!(" {} {name}: going on", spinner(model.now))),
        None => Line::from(format!(" {}", model.note)),
    }
}

fn spinner(now: std::time::Duration) -> char {
    const FRAMES: [char; 8] = ['⣾', '⣽', '⣻', '⢿', '⡿', '⣟', '⣯', '⣷'];
    let at = usize::try_from(now.as_millis() / 120).unwrap_or_default();
    FRAMES[at % FRAMES.len()]
}

fn colour(mood: Mood) -> Color {
    match mood {
        Mood::Growing => Color::DarkGray,
        Mood::Well => Color::Green,
        Mood::Unclear => Color::Yellow,
        Mood::Failed => Color::Red,
    }
}

/// A verdict as one word, with a mark that means the same as its colour.
fn verdict(row: &Row, model: &Model) -> Span<'static> {
    let mood = row.mood(model.now);
    Span::styled(format!("{} {}", mood.mark(), row.explanation.cause.name()), colour(mood))
}

/// The menu of failures in front of the list.
fn draw_menu(model: &Model, at: usize, frame: &mut Frame<'_>, body: Rect) {
    let [area] = Layout::horizontal([Constraint::Max(100)]).flex(ratatui::layout::Flex::Center).areas(body);
    let block = Block::bordered().title(" make a report fail ");
    let [names, story] = Layout::vertical([Constraint::Min(1), Constraint::Length(4)]).areas(block.inner(area));
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    let lines = model.scenarios.iter().map(|scenario| format!("{:27}{}", scenario.name, scenario.title));
    let list = List::new(lines).highlight_symbol("> ").highlight_style(Modifier::REVERSED);
    frame.render_stateful_widget(list, names, &mut ListState::default().with_selected(Some(at)));
    let patient = model.scenarios.get(at).map(|scenario| format!("The patient: {}", scenario.patient));
    let story_block = Block::new().borders(Borders::TOP);
    frame
        .render_widget(Paragraph::new(patient.unwrap_or_default()).wrap(Wrap { trim: true }).block(story_block), story);
}

fn draw_page(model: &Model, page: &Page, (aside, down): (usize, usize), frame: &mut Frame<'_>, body: Rect) {
    let name = match page {
        Page::Help => " help ",
        Page::Trace(_, Tab::Tree) => " tree ",
        Page::Trace(_, Tab::Explanation) => " explanation ",
        Page::Trace(_, Tab::Logs) => " log lines ",
    };
    let block = Block::new().borders(Borders::TOP).title(name);
    let mut text = block.inner(body);
    frame.render_widget(block, body);
    if let Page::Trace(id, _) = page
        && let Some(row) = model.row(id)
    {
        let [heading, rest] = Layout::vertical([Constraint::Length(page.heading()), Constraint::Min(0)]).areas(text);
        frame.render_widget(Paragraph::new(about(row, model)).wrap(Wrap { trim: true }), heading);
        text = rest;
    }
    let lines = page::lines(model, page).into_iter().skip(down).take(text.height.into()).map(styled);
    let aside = u16::try_from(aside).unwrap_or(u16::MAX);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).scroll((0, aside)), text);
}

/// The trace's name, and a remark about it.
fn about(row: &Row, model: &Model) -> Vec<Line<'static>> {
    let sender = row.sender.as_ref().map(|sender| format!("   by {sender}")).unwrap_or_default();
    let which = format!("{}   {}   {}{sender}   ", row.id, row.entry(), row.took());
    vec![Line::from(vec![which.bold(), verdict(row, model)]), Line::from(row.explanation.verdict.clone())]
}

/// Highlights lines about what went wrong.
fn styled(line: String) -> Line<'static> {
    let style = if line.contains("<== ") {
        Style::new().red().bold()
    } else if line.contains("  ERROR") {
        Style::new().red()
    } else {
        Style::new()
    };
    Line::styled(line, style)
}

#[cfg(test)]
mod tests;
