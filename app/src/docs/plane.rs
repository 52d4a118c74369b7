//! The plane, drawn from data: effective from left to right, known from bottom to top, a rectangle for each version, and the
//! same in sentences for those who do not see it.
//!
//! ```text
//! caption: The rate after the correction
//! effective: 2026-01-01 2026-07-01
//! known: 2026-01-01 2026-06-01
//! version: 2026-01-01 2026-07-01 | 2026-01-02 2026-03-10 | 4.125 %
//! nothing: 2026-06-01 2026-07-01 | 2026-05-05 - | withdrawn
//! point: 2026-06-15 2026-02-01 A
//! ```
//!
//! `effective` and `known` are the part of the plane that is shown. `-` is an unbounded end.

use std::fmt::Write;

use model::Instant;

use super::escaped;
use crate::format::time::{civil, day_text, month_name};

/// Units of the drawing, which is scaled to the page: small enough that its letters can be read on a phone.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 262.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 350.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 212.0;
/// Width of a letter and height of a line, generously.
const LETTER: f64 = 7.4;
const LINE: f64 = 16.0;

/// Days since 1970-01-01; no end is unbounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    from: i64,
    to: Option<i64>,
}

impl Span {
    fn contains(self, day: i64) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }

    fn overlaps(self, other: Span) -> bool {
        let begins_before_end_of = |a: Span, b: Span| b.to.is_none_or(|to| a.from < to);
        begins_before_end_of(self, other) && begins_before_end_of(other, self)
    }

    fn bounds(self) -> impl Iterator<Item = i64> {
        std::iter::once(self.from).chain(self.to)
    }
}

/// A version, or a stretch where after a delete nothing holds.
#[derive(Debug)]
struct Area {
    effective: Span,
    known: Span,
    holds: bool,
    text: String,
}

#[derive(Debug)]
struct Point {
    effective: i64,
    known: i64,
    name: String,
}

/// What is drawn.
#[derive(Debug)]
pub struct Plane {
    caption: String,
    effective: (i64, i64),
    known: (i64, i64),
    areas: Vec<Area>,
    points: Vec<Point>,
}

impl Plane {
    /// Reads the data. The error says which line is wrong.
    pub fn read(source: &str) -> Result<Plane, String> {
        let mut plane =
            Plane { caption: String::new(), effective: (0, 0), known: (0, 0), areas: Vec::new(), points: Vec::new() };
        for line in source.lines().filter(|line| !line.trim().is_empty()) {
            plane.line(line).map_err(|reason| format!("'{line}' in a drawing of the plane: {reason}"))?;
        }
        let empty = |(from, to): (i64, i64)| from >= to;
        if plane.caption.is_empty() || empty(plane.effective) || empty(plane.known) {
            return Err("a drawing of the plane has a caption and the part of both axes that is shown".to_owned());
        }
        if let Some((a, b)) = plane.contradiction() {
            return Err(format!(
                "'{}' and '{}' hold at the same point of the plane '{}'",
                a.text, b.text, plane.caption
            ));
        }
        Ok(plane)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (name, rest) = line.split_once(": ").ok_or("there is no ': '")?;
        match name {
            "caption" => self.caption = rest.to_owned(),
            "effective" => self.effective = range(rest)?,
            "known" => self.known = range(rest)?,
            "version" | "nothing" => {
                let mut parts = rest.split(" | ");
                let mut part = || parts.next().ok_or("it has three parts");
                let (effective, known) = (span(part()?)?, span(part()?)?);
                self.areas.push(Area { effective, known, holds: name == "version", text: part()?.to_owned() });
            }
            "point" => {
                let mut words = rest.split_whitespace();
                let mut word = || words.next().ok_or("it has two days and a name");
                let (effective, known) = (day(word()?)?, day(word()?)?);
                self.points.push(Point { effective, known, name: word()?.to_owned() });
            }
            _ => return Err("nothing is called so".to_owned()),
        }
        Ok(())
    }

    /// At any point at most one version holds, also in a drawing.
    fn contradiction(&self) -> Option<(&Area, &Area)> {
        let mut pairs =
            self.areas.iter().enumerate().flat_map(|(i, a)| self.areas[i + 1..].iter().map(move |b| (a, b)));
        pairs.find(|(a, b)| a.effective.overlaps(b.effective) && a.known.overlaps(b.known))
    }

    /// The figure.
    pub fn html(&self) -> String {
        let caption = escaped(&self.caption);
        let mut html = format!(
            "<figure class=\"docs-plane\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{caption}. The \
             same stands in words below.\">"
        );
        self.draw_axes(&mut html);
        self.areas.iter().for_each(|area| self.draw_area(&mut html, area));
        self.points.iter().for_each(|point| self.draw_point(&mut html, point));
        let sentences: String =
            self.sentences().iter().map(|sentence| format!("<li>{}</li>", escaped(sentence))).collect();
        let _ = writeln!(
            html,
            "</svg><figcaption>{caption}</figcaption><details><summary>In words<span class=\"visually-hidden\">: {caption}\
             </span></summary><ul>{sentences}</ul></details></figure>"
        );
        html
    }

    /// Everything that is said in it, for the search.
    pub fn words(&self) -> String {
        format!("{}. {}", self.caption, self.sentences().join(" "))
    }

    fn x(&self, day: i64) -> f64 {
        LEFT + share(day, self.effective) * (RIGHT - LEFT)
    }

    fn y(&self, day: i64) -> f64 {
        BOTTOM - share(day, self.known) * (BOTTOM - TOP)
    }

    fn draw_axes(&self, html: &mut String) {
        let inside = |(from, to): (i64, i64), day: &i64| from <= *day && *day < to;
        let mut columns: Vec<i64> = self.areas.iter().flat_map(|area| area.effective.bounds()).collect();
        columns.extend(self.points.iter().map(|point| point.effective));
        columns.extend([self.effective.0]);
        columns.retain(|day| inside(self.effective, day));
        for (day, x) in without_collisions(columns, |day| self.x(day), |day| short_text(day).len() as f64 * LETTER) {
            line(html, "plane-tick", (x, BOTTOM), (x, BOTTOM + 4.0));
            text(html, "plane-label middle", (x, BOTTOM + 18.0), &short_text(day));
        }
        let mut rows: Vec<i64> = self.areas.iter().flat_map(|area| area.known.bounds()).collect();
        rows.extend(self.points.iter().map(|point| point.known));
        rows.retain(|day| inside(self.known, day));
        for (day, y) in without_collisions(rows, |day| self.y(day), |_| LINE) {
            line(html, "plane-tick", (LEFT - 4.0, y), (LEFT, y));
            text(html, "plane-label end", (LEFT - 7.0, y + 4.0), &short_text(day));
        }
        line(html, "plane-axis effective", (LEFT, BOTTOM), (RIGHT, BOTTOM));
        line(html, "plane-axis known", (LEFT, BOTTOM), (LEFT, TOP));
        text(
            html,
            "plane-name end effective",
            (RIGHT, BOTTOM + 40.0),
            &format!("effective{} →", year_of(self.effective)),
        );
        text(html, "plane-name known", (4.0, 14.0), &format!("↑ known{}", year_of(self.known)));
        text(html, "plane-label end", (RIGHT, 14.0), "now");
    }

    fn draw_area(&self, html: &mut String, area: &Area) {
        let clamped = |day: i64, (from, to): (i64, i64)| day.clamp(from, to);
        let (left, right) = (
            self.x(clamped(area.effective.from, self.effective)),
            self.x(area.effective.to.map_or(self.effective.1, |to| clamped(to, self.effective))),
        );
        let (bottom, top) = (
            self.y(clamped(area.known.from, self.known)),
            self.y(area.known.to.map_or(self.known.1, |to| clamped(to, self.known))),
        );
        let (width, height) = (right - left, bottom - top);
        let class = match (area.holds, area.known.to) {
            (false, _) => "plane-nothing",
            (true, None) => "plane-version current",
            (true, Some(_)) => "plane-version superseded",
        };
        let _ = write!(
            html,
            "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
        let (x, y) = (left + width / 2.0, top + height / 2.0);
        let half = area.text.chars().count() as f64 * LETTER / 2.0;
        // A point with its name may lie where the value would stand; the sentences below say it.
        let under_a_point = self.points.iter().any(|point| {
            let (dx, dy) = (self.x(point.effective) - x, self.y(point.known) - y);
            dx.abs() < half + LINE && dy.abs() < LINE
        });
        if half * 2.0 <= width && LINE <= height && !under_a_point {
            text(html, "plane-value middle", (x, y + 4.0), &area.text);
        }
    }

    fn draw_point(&self, html: &mut String, point: &Point) {
        let (x, y) = (self.x(point.effective), self.y(point.known));
        line(html, "plane-cross", (x, BOTTOM), (x, y));
        line(html, "plane-cross", (LEFT, y), (x, y));
        let _ = write!(html, "<circle class=\"plane-point\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
        text(html, "plane-point-name", (x + 7.0, y - 5.0), &point.name);
    }

    fn sentences(&self) -> Vec<String> {
        let areas = self.areas.iter().map(|area| {
            let effective = match area.effective.to {
                Some(to) => format!("Effective from {} up to {}", day_text(area.effective.from), day_text(to)),
                None => format!("Effective from {} on", day_text(area.effective.from)),
            };
            let known = match area.known.to {
                Some(to) => format!("known from {} until {}", day_text(area.known.from), day_text(to)),
                None => format!("known from {} on", day_text(area.known.from)),
            };
            match area.holds {
                true => format!("{effective}, {known}: {}.", area.text),
                false => format!("{effective}, {known}: nothing holds, {}.", area.text),
            }
        });
        let points = self.points.iter().map(|point| {
            let found = self.areas.iter().find(|area| {
                area.holds && area.effective.contains(point.effective) && area.known.contains(point.known)
            });
            format!(
                "{}: effective on {} and as known on {}, {}.",
                point.name,
                day_text(point.effective),
                day_text(point.known),
                found.map_or("nothing holds".to_owned(), |area| format!("the answer is {}", area.text))
            )
        });
        areas.chain(points).collect()
    }
}

fn day(text: &str) -> Result<i64, String> {
    Instant::parse_date_days(text.trim()).map(i64::from)
}

fn range(text: &str) -> Result<(i64, i64), String> {
    let (from, to) = text.split_once(' ').ok_or("it has two days")?;
    Ok((day(from)?, day(to)?))
}

fn span(text: &str) -> Result<Span, String> {
    let (from, to) = text.trim().split_once(' ').ok_or("it has two days")?;
    let span = Span { from: day(from)?, to: if to == "-" { None } else { Some(day(to)?) } };
    if span.to.is_some_and(|to| to <= span.from) {
        return Err("it ends before it begins".to_owned());
    }
    Ok(span)
}

/// Where a day lies in a range, 0 to 1.
fn share(day: i64, (from, to): (i64, i64)) -> f64 {
    (day - from) as f64 / (to - from) as f64
}

/// `15 Mar`.
fn short_text(day: i64) -> String {
    let date = civil(day);
    format!("{} {}", date.day, month_name(date.month))
}

/// The year, where the whole range lies in it.
fn year_of((from, to): (i64, i64)) -> String {
    let (first, last) = (civil(from).year, civil(to - 1).year);
    if first == last { format!(", {first}") } else { String::new() }
}

/// Days with their places, but for those whose label would run into the one before.
fn without_collisions(mut days: Vec<i64>, place: impl Fn(i64) -> f64, size: impl Fn(i64) -> f64) -> Vec<(i64, f64)> {
    days.sort_unstable();
    days.dedup();
    let mut kept: Vec<(i64, f64)> = Vec::new();
    for day in days {
        let at = place(day);
        if kept.last().is_none_or(|&(before, last)| (at - last).abs() >= (size(before) + size(day)) / 2.0) {
            kept.push((day, at));
        }
    }
    kept
}

fn line(html: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(
        html,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(html: &mut String, class: &str, at: (f64, f64), text: &str) {
    let _ = write!(html, "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>", at.0, at.1, escaped(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "caption: A rate < 5 %\neffective: 2026-01-01 2026-07-01\nknown: 2026-01-01 2026-06-01\n\
        version: 2026-01-01 2026-07-01 | 2026-01-02 2026-03-10 | 4.125 %\nversion: 2026-01-01 - | 2026-03-10 - | 4.250 %\n\
        nothing: 2025-06-01 2026-01-01 | 2026-01-02 - | withdrawn\npoint: 2026-06-15 2026-02-01 A\npoint: 2026-06-15 2026-01-01 B\n";

    #[test]
    fn effective_runs_to_the_right_and_known_runs_up() {
        let plane = Plane::read(SOURCE).unwrap();
        assert_eq!((plane.x(plane.effective.0), plane.x(plane.effective.1)), (LEFT, RIGHT));
        assert_eq!((plane.y(plane.known.0), plane.y(plane.known.1)), (BOTTOM, TOP));
        let html = plane.html();
        assert_eq!(html.matches("<rect").count(), 3);
        assert!(html.contains("plane-version superseded") && html.contains("plane-version current"), "{html}");
        assert!(html.contains("A rate &lt; 5 %"), "{html}");
    }

    #[test]
    fn the_drawing_says_the_same_in_sentences() {
        let sentences = Plane::read(SOURCE).unwrap().sentences();
        assert_eq!(
            sentences[0],
            "Effective from 1 Jan 2026 up to 1 Jul 2026, known from 2 Jan 2026 until 10 Mar 2026: 4.125 %."
        );
        assert_eq!(sentences[1], "Effective from 1 Jan 2026 on, known from 10 Mar 2026 on: 4.250 %.");
        assert!(sentences[2].ends_with("nothing holds, withdrawn."), "{}", sentences[2]);
        assert_eq!(sentences[3], "A: effective on 15 Jun 2026 and as known on 1 Feb 2026, the answer is 4.125 %.");
        assert!(sentences[4].ends_with("nothing holds."), "{}", sentences[4]);
    }

    #[test]
    fn labels_do_not_run_into_each_other() {
        let kept = without_collisions(vec![30, 0, 10, 0], |day| day as f64, |_| 20.0);
        assert_eq!(kept, [(0, 0.0), (30, 30.0)]);
    }

    #[test]
    fn two_truths_and_lines_that_mean_nothing_are_refused() {
        let twice = format!("{SOURCE}version: 2026-02-01 2026-03-01 | 2026-05-01 - | 4 %\n");
        assert!(Plane::read(&twice).unwrap_err().contains("same point"));
        for line in ["version: 2026-02-01 2026-01-01 | 2026-05-01 - | 4 %", "point: 2026-02-01 A", "colour: red", "x"] {
            assert!(Plane::read(&format!("{SOURCE}{line}\n")).is_err(), "{line}");
        }
        assert!(Plane::read("caption: Nothing").is_err());
    }
}
