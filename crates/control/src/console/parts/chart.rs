//! Charts, drawn on the server as SVG: shapes in the SVG, words beside it, so that both fit any width; and the same
//! numbers as a table.

use maud::{Markup, html};

/// Which of the palette's colours a series has. Names, legend and table tell the same without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the colours' places in the palette")]
pub enum Tone {
    One,
    Two,
    Three,
    Four,
    Bad,
}

impl Tone {
    fn as_str(self) -> &'static str {
        match self {
            Self::One => "tone-1",
            Self::Two => "tone-2",
            Self::Three => "tone-3",
            Self::Four => "tone-4",
            Self::Bad => "tone-bad",
        }
    }
}

/// One series: a number for each of the chart's times.
#[derive(Clone, Debug)]
pub struct Series {
    /// What is counted.
    pub name: String,
    /// Its colour.
    pub tone: Tone,
    /// A number for each of the chart's times; `None` where nothing was measured.
    pub values: Vec<Option<u64>>,
}

/// A horizontal line at a bound.
#[derive(Clone, Debug)]
pub struct Band {
    /// What it is.
    pub name: String,
    /// Where.
    pub value: u64,
}

/// What a chart shows.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Unique on the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// What is to be seen, as a sentence, for those who do not see it.
    pub summary: String,
    /// The times, as written beneath and in the table.
    pub times: Vec<String>,
    /// How numbers are written.
    pub unit: fn(u64) -> String,
    /// The series; bars are stacked in this order, from the bottom.
    pub series: Vec<Series>,
    /// A bound to compare with.
    pub bound: Option<Band>,
}

const WIDTH: u64 = 1000;
const HEIGHT: u64 = 200;

/// A round number that is not below the largest one.
fn ceiling(largest: u64) -> u64 {
    let mut step = 1u64;
    loop {
        for factor in [1, 2, 4, 5, 8] {
            let candidate = step.saturating_mul(factor);
            if candidate >= largest.max(4) {
                return candidate;
            }
        }
        step = step.saturating_mul(10);
    }
}

impl Chart {
    fn columns(&self) -> u64 {
        self.times.len().max(1) as u64
    }

    fn frame(&self, top: u64, shapes: &Markup) -> Markup {
        let height = |value: u64| HEIGHT - value.min(top) * HEIGHT / top;
        let labelled = [0, self.times.len() / 2, self.times.len().saturating_sub(1)];
        html! {
            figure.chart {
                figcaption { h3 { (self.title) } (self.legend()) }
                div.plot {
                    div.plot-y aria-hidden="true" { span { ((self.unit)(top)) } span { ((self.unit)(top / 2)) } span { "0" } }
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                        aria-labelledby={ (self.id) "-title " (self.id) "-summary" } {
                        title id={ (self.id) "-title" } { (self.title) }
                        desc id={ (self.id) "-summary" } { (self.summary) }
                        @for line in [0, HEIGHT / 2, HEIGHT] {
                            line.grid x1="0" x2=(WIDTH) y1=(line) y2=(line) {}
                        }
                        (shapes)
                        @if let Some(bound) = &self.bound {
                            line.bound x1="0" x2=(WIDTH) y1=(height(bound.value)) y2=(height(bound.value)) {}
                        }
                    }
                    div.plot-x aria-hidden="true" {
                        @for place in labelled { span { (self.times.get(place).map_or("", String::as_str)) } }
                    }
                }
                (self.as_table())
            }
        }
    }

    fn legend(&self) -> Markup {
        html! {
            ul.legend {
                @for series in &self.series {
                    li { svg.swatch viewBox="0 0 12 12" aria-hidden="true" { rect class=(series.tone.as_str()) width="12" height="12" rx="3" {} } (series.name) }
                }
                @if let Some(bound) = &self.bound {
                    li { svg.swatch viewBox="0 0 12 12" aria-hidden="true" { line.bound x1="0" x2="12" y1="6" y2="6" {} } (bound.name) }
                }
            }
        }
    }

    fn as_table(&self) -> Markup {
        html! {
            details.as-table {
                summary { "The numbers" span.hidden { " of " (self.title) } }
                div.table-box tabindex="0" role="region" aria-label={ (self.title) ", the numbers" } {
                    table {
                        caption.hidden { (self.title) }
                        thead { tr { th scope="col" { "Time" } @for series in &self.series { th.numeric scope="col" { (series.name) } } } }
                        tbody {
                            @for (place, time) in self.times.iter().enumerate() {
                                tr {
                                    th scope="row" { (time) }
                                    @for series in &self.series {
                                        td.numeric { @match series.values.get(place).copied().flatten() { Some(value) => ((self.unit)(value)), None => "–" } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Bars stacked on each other, one for each time.
pub fn stacked_bars(chart: &Chart) -> Markup {
    let height_of = |place: usize| {
        chart
            .series
            .iter()
            .filter_map(|series| series.values.get(place).copied().flatten())
            .sum()
    };
    let tallest: u64 = (0..chart.times.len()).map(height_of).max().unwrap_or(0);
    let top = ceiling(tallest);
    let columns = chart.columns();
    let mut bars = Vec::new();
    for place in 0..chart.times.len() {
        let left = WIDTH * place as u64 / columns;
        let width = (WIDTH / columns).saturating_sub(WIDTH / columns / 5).max(1);
        let mut base = 0u64;
        for series in &chart.series {
            let value = series.values.get(place).copied().flatten().unwrap_or(0);
            let (from, to) = (base * HEIGHT / top, (base + value) * HEIGHT / top);
            base += value;
            // What happened is seen, however little it is beside the rest.
            let tall = (to - from).max(u64::from(value > 0) * 2);
            if tall > 0 {
                bars.push((
                    left,
                    HEIGHT.saturating_sub(from + tall),
                    width,
                    tall,
                    series.tone.as_str(),
                ));
            }
        }
    }
    let shapes = html! {
        @for (x, y, width, height, tone) in bars { rect class=(tone) x=(x) y=(y) width=(width) height=(height) {} }
    };
    chart.frame(top, &shapes)
}

/// A line for each series; a gap where nothing was measured.
pub fn lines(chart: &Chart) -> Markup {
    let largest = chart
        .series
        .iter()
        .flat_map(|series| series.values.iter().flatten())
        .copied()
        .max();
    let top = ceiling(
        largest
            .unwrap_or(0)
            .max(chart.bound.as_ref().map_or(0, |bound| bound.value)),
    );
    let last = chart.columns().saturating_sub(1).max(1);
    let path = |series: &Series| {
        let mut path = String::new();
        let mut is_drawing = false;
        for (place, value) in series.values.iter().enumerate() {
            let Some(value) = value else {
                is_drawing = false;
                continue;
            };
            let x = WIDTH * place as u64 / last;
            let y = HEIGHT - value * HEIGHT / top;
            path.push_str(&format!("{}{x} {y}", if is_drawing { "L" } else { "M" }));
            // One by itself is a line of no length: the round ends of the stroke make a dot of it.
            let is_alone = !is_drawing && !matches!(series.values.get(place + 1), Some(Some(_)));
            if is_alone {
                path.push_str("h0");
            }
            is_drawing = true;
        }
        path
    };
    let shapes = html! {
        @for series in &chart.series { path class={ "line " (series.tone.as_str()) } d=(path(series)) {} }
    };
    chart.frame(top, &shapes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::parts::count;

    #[test]
    fn a_scale_ends_at_a_round_number_above_the_largest() {
        for (largest, top) in [(0, 4), (4, 4), (7, 8), (11, 20), (430, 500), (90_001, 100_000)] {
            assert_eq!(ceiling(largest), top);
        }
    }

    fn chart(values: Vec<Option<u64>>) -> Chart {
        Chart {
            id: "c",
            title: "Records".to_owned(),
            summary: "None.".to_owned(),
            times: (0..values.len()).map(|hour| format!("{hour}:00")).collect(),
            unit: count,
            series: vec![Series {
                name: "created".to_owned(),
                tone: Tone::One,
                values,
            }],
            bound: None,
        }
    }

    #[test]
    fn a_single_record_among_millions_is_still_seen() {
        let drawn = stacked_bars(&chart(vec![Some(4_000_000), Some(1), Some(0)])).into_string();
        assert_eq!(drawn.matches("<rect class=\"tone-1\" x=").count(), 2, "{drawn}");
    }

    #[test]
    fn a_line_stops_where_nothing_was_measured() {
        let drawn = lines(&chart(vec![Some(4), None, Some(4), Some(0)])).into_string();
        assert!(drawn.contains("d=\"M0 0h0M666 0L1000 200\""), "{drawn}");
    }

    #[test]
    fn a_chart_without_times_is_no_panic() {
        assert!(stacked_bars(&chart(vec![])).into_string().contains("<svg"));
        assert!(lines(&chart(vec![])).into_string().contains("<svg"));
    }
}
