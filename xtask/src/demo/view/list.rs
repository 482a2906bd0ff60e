//! The list of traces, one on each line.

use ratatui::Frame;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as Cells, Table, TableState};

use super::verdict;
use crate::demo::model::Model;
use crate::demo::row::Row;

/// Fits in 80 columns.
const WIDTHS: [Constraint; 8] = [
    Constraint::Length(8),
    Constraint::Length(8),
    Constraint::Fill(1),
    Constraint::Length(6),
    Constraint::Length(5),
    Constraint::Length(4),
    Constraint::Length(18),
    Constraint::Length(26),
];

/// From this width on, the last column is shown: who sent the report.
const WIDE: u16 = 110;

/// The characters of a trace id that are shown.
const ID: usize = 8;

pub(super) fn draw(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let block = Block::new().borders(Borders::TOP).title(format!(" traces: {} ", model.rows.len()));
    if model.rows.is_empty() {
        let text = "No trace yet: s submits a report, f makes one fail.";
        return frame.render_widget(Paragraph::new(text).block(block), area);
    }
    let columns = if area.width < WIDE { WIDTHS.len() - 1 } else { WIDTHS.len() };
    let heads = ["TIME", "TRACE", "ENTRY", "  TOOK", "SPANS", "SVCS", "VERDICT", "SENT BY"];
    let rows = model.rows.iter().map(|row| Cells::new(cells(row, model).into_iter().take(columns)));
    let table = Table::new(rows, &WIDTHS[..columns])
        .header(Cells::new(heads.into_iter().take(columns)).bold())
        .highlight_symbol("> ")
        .row_highlight_style(Modifier::REVERSED)
        .block(block);
    frame.render_stateful_widget(table, area, &mut TableState::new().with_selected(model.chosen()));
}

fn cells(row: &Row, model: &Model) -> [Cell<'static>; 8] {
    let right = |text: String| Cell::new(Line::from(text).right_aligned());
    [
        row.begun.clone().into(),
        row.id.chars().take(ID).collect::<String>().into(),
        row.entry().into(),
        right(row.took()),
        right(row.trace.spans.len().to_string()),
        right(row.services().to_string()),
        verdict(row, model).into(),
        row.sender.clone().unwrap_or_default().into(),
    ]
}
