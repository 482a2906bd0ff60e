//! The screen before the first trace.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::Stylize;
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph};

use super::spinner;
use crate::demo::start::{Starting, Step};

/// Draws the steps, and cargo's bar while it builds.
pub(crate) fn draw_starting(starting: &Starting, frame: &mut Frame<'_>) {
    let steps = u16::try_from(Step::ALL.len()).unwrap_or_default();
    let heights = [2, steps + 1, 1, 1].map(Constraint::Length);
    let [header, list, gauge, at] = Layout::vertical(heights).areas(frame.area());
    frame.render_widget(Line::from(vec![" epro demo ".bold().reversed(), "  starting   q quit".into()]), header);
    frame.render_widget(Paragraph::new(Step::ALL.map(|step| line(starting, step)).to_vec()), list);
    let is_building = starting.begun.last().is_some_and(|(step, _)| *step == Step::Build);
    if is_building {
        if let Some((done, all)) = starting.gauge {
            let percent = u16::try_from(100 * done.min(all) / all.max(1)).unwrap_or_default();
            let bar = Gauge::default().percent(percent).label(format!("{done} of {all} crates"));
            frame.render_widget(bar.use_unicode(true), gauge);
        }
        frame.render_widget(Line::from(format!(" {}", starting.at.trim())).dim(), at);
    }
}

/// A step with the time that it took, or has taken so far.
fn line(starting: &Starting, step: Step) -> Line<'static> {
    let Some(at) = starting.begun.iter().position(|(begun, _)| *begun == step) else {
        return Line::from(format!("   {}", step.title())).dim();
    };
    let begun = starting.begun[at].1;
    let (mark, end) = match starting.begun.get(at + 1) {
        Some((_, end)) => ('✓', *end),
        None => (spinner(starting.now), starting.now),
    };
    Line::from(format!(" {mark} {:44}{:>8}", step.title(), seconds(end.saturating_sub(begun))))
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
