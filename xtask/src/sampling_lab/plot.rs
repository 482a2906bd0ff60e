//! Plots what samplers find against what they export.

use std::fmt::Write;

use testkit::sampling_lab::Row;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 440.0;
/// The margins around the plot.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 190.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
/// The colours of found failures and of those with a complete path (from Okabe and Ito, 2008).
const FOUND: &str = "#0072b2";
const WHOLE: &str = "#d55e00";
/// The ends of the logarithmic axis, in kilobytes per submission.
const LEAST: f64 = 0.1;
const MOST: f64 = 100.0;

/// The x axis shows what a sampler exports per submission. The y axis shows the ratio of failures that it finds, and of
/// those that it finds with all spans from the failed one up to the root. The background is white, so that the plot is
/// readable on a dark page too.
pub(super) fn plot(rows: &[Row]) -> String {
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#222222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    axes(&mut text);
    for row in rows {
        let left = across(row.kilobytes_each());
        let (found, whole) = shares(row);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "<circle cx=\"{left:.1}\" cy=\"{:.1}\" r=\"8\" fill=\"none\" stroke=\"{FOUND}\" stroke-width=\"2.5\"/>\
             <rect x=\"{:.1}\" y=\"{:.1}\" width=\"8\" height=\"8\" fill=\"{WHOLE}\"/>",
            upward(found),
            left - 4.0,
            upward(whole) - 4.0,
        );
    }
    labels(&mut text, rows);
    text + "</svg>\n"
}

fn axes(text: &mut String) {
    for percent in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = upward(percent);
        let _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#dddddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0,
            100.0 * percent,
        );
    }
    for kilobytes in [LEAST, 1.0, 10.0, MOST] {
        let (x, y) = (across(kilobytes), HEIGHT - BOTTOM);
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{y}\" stroke=\"#dddddd\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{kilobytes}</text>",
            y + 20.0,
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"24\" font-weight=\"bold\">Failures found, against what is exported</text>\
         <text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">kB of spans a submission</text>\
         <circle cx=\"{}\" cy=\"19\" r=\"8\" fill=\"none\" stroke=\"{FOUND}\" stroke-width=\"2.5\"/>\
         <text x=\"{}\" y=\"24\">found</text>\
         <rect x=\"{}\" y=\"15\" width=\"8\" height=\"8\" fill=\"{WHOLE}\"/>\
         <text x=\"{}\" y=\"24\">with the whole path, failed span to root</text>",
        f64::midpoint(LEFT, WIDTH - RIGHT),
        HEIGHT - 16.0,
        WIDTH - 450.0,
        WIDTH - 434.0,
        WIDTH - 370.0,
        WIDTH - 354.0,
    );
}

/// The names at the right, ordered by the height of their points. A line connects each name with its point.
fn labels(text: &mut String, rows: &[Row]) {
    let mut places: Vec<(f64, f64, &str)> =
        rows.iter().map(|row| (upward(shares(row).0), across(row.kilobytes_each()), &*row.sampler)).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut lowest = TOP - 20.0;
    for (index, (y, x, name)) in places.iter().enumerate() {
        // Leaves space for this name and those below it.
        let room = HEIGHT - BOTTOM - 20.0 * f64::from(u32::try_from(places.len() - index - 1).unwrap_or_default());
        lowest = (lowest + 20.0).max(y.min(room));
        let label = WIDTH - RIGHT + 24.0;
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{lowest:.1}\" stroke=\"#999999\" stroke-width=\"0.7\"/>\
             <text x=\"{label}\" y=\"{:.1}\">{name}</text>",
            label - 4.0,
            lowest + 4.0,
        );
    }
}

/// The ratios of all failures that were found, and that were found with a complete path.
#[expect(clippy::cast_precision_loss, reason = "there are not so many")]
fn shares(row: &Row) -> (f64, f64) {
    let all = row.caught(|_| true);
    let share = |part: u64| part as f64 / all.sent.max(1) as f64;
    (share(all.caught), share(all.complete))
}

fn across(kilobytes: f64) -> f64 {
    let share = (kilobytes.clamp(LEAST, MOST) / LEAST).log10() / (MOST / LEAST).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn upward(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use testkit::sampling_lab::{Caught, Counted, Failure, Route};

    use super::*;

    fn row(sampler: &str, bytes: u64, caught: u64, complete: u64) -> Row {
        let counted = Counted { sent: 1, ..Counted::default() };
        let caught = Caught { sent: 10, caught, complete, ..Caught::default() };
        Row {
            sampler: sampler.to_owned(),
            routes: BTreeMap::from([(Route::Submit, counted)]),
            failures: BTreeMap::from([(Failure::Hint, caught)]),
            unplanned: Vec::new(),
            unexplained: 0,
            bytes,
            cost: None,
        }
    }

    #[test]
    fn a_sampler_is_as_far_right_as_it_exports_and_as_high_as_it_finds() {
        let picture = plot(&[row("some", 1_000, 5, 0)]);
        let (x, middle, bottom) = (LEFT + (WIDTH - LEFT - RIGHT) / 3.0, upward(0.5), upward(0.0));
        assert!(picture.contains(&format!("<circle cx=\"{x:.1}\" cy=\"{middle:.1}\"")), "{picture}");
        assert!(picture.contains(&format!("<rect x=\"{:.1}\" y=\"{:.1}\"", x - 4.0, bottom - 4.0)), "{picture}");
        assert!(picture.contains(">some</text>"), "{picture}");
    }

    #[test]
    fn names_have_room_although_their_points_are_in_the_same_place() {
        let rows: Vec<_> = (0..8).map(|number| row(&format!("sampler {number}"), 1_000, 0, 0)).collect();
        let picture = plot(&rows);
        let heights = picture.lines().filter(|line| line.contains(">sampler "));
        let heights: Vec<f64> = heights
            .filter_map(|line| line.split("<text x=").nth(1)?.split("y=\"").nth(1)?.split('"').next()?.parse().ok())
            .collect();
        assert_eq!(heights.len(), 8);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= 19.9), "{heights:?}");
        assert!(heights.iter().all(|height| *height < HEIGHT), "{heights:?}");
    }
}
