//! What a chart shows, as a value: which columns of an answer go where, and how they are written. Nothing of the data is
//! in it, so the same spec is drawn again and again, from one answer after the other.

use serde::{Deserialize, Serialize};

use crate::format::{
    number,
    style::with_style,
    time,
    value::{Currency, Format, Number},
};

/// A chart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChartSpec {
    /// What is measured, such as `Level`.
    pub title: String,
    /// How rows are drawn.
    pub mark: Mark,
    /// What runs from left to right.
    pub x: Channel,
    /// What runs from bottom to top: one series for each, or one where `by` tells series apart. A candlestick takes open,
    /// high, low and close, in this order.
    pub y: Vec<Channel>,
    /// The column whose values tell series apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What the colour of a heat map's cell says, or what stands in a rectangle of a plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Channel>,
    /// Names and looks of series, where they are not what they would be of themselves. Series named here come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<SeriesStyle>,
    /// The steps of a waterfall, by what they are called, that are totals: they stand on zero, neither up nor down, and what
    /// follows begins where they end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<String>,
}

/// How rows are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// A line through the rows of each series, broken where a value is null.
    Line,
    /// A line with the ground below it filled.
    Area,
    /// Areas on top of each other.
    StackedArea,
    /// Bars that stand on zero, those of several series side by side.
    Bar,
    /// Bars on top of each other.
    StackedBar,
    /// Bars from `x` to its end, without gaps.
    Histogram,
    /// A dot for each row; of many that share a pixel, for the first.
    Scatter,
    /// Open, high, low and close.
    Candlestick,
    /// Cells coloured by a value.
    HeatMap,
    /// Steps that add up.
    Waterfall,
    /// Rectangles over two times: effective from left to right, known from bottom to top.
    Plane,
}

/// A column that goes somewhere.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// Its name in the answer.
    pub column: String,
    /// The column with the end of what begins in `column`: of bins and of rectangles. Null is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// What people call it; the column's name where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Its unit, such as `index points`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// How values are written.
    #[serde(default)]
    pub format: ValueFormat,
    /// How values become places.
    #[serde(default)]
    pub scale: ScaleKind,
    /// Whether the axis has to contain zero. Amounts do; a level that is read for its movement need not. Bars and areas
    /// always stand on zero.
    #[serde(default)]
    pub zero: bool,
}

/// How values become places on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScaleKind {
    /// By the column's type: times along time, texts as categories, numbers linear.
    #[default]
    Auto,
    /// Equal steps are equally far apart.
    Linear,
    /// Equal ratios are equally far apart; what is not positive is left out.
    Log,
    /// One place for each value, whatever its type.
    Category,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ValueFormat {
    /// As they are: every digit of decimals and integers.
    #[default]
    Plain,
    /// So many decimals.
    Fixed(usize),
    /// A difference, with so many decimals, and a sign before what is not zero.
    Change(usize),
    /// Whole numbers.
    Whole,
    /// A share of one in percent, with so many decimals.
    Percent(usize),
    /// What is percent already, with so many decimals.
    PercentValue(usize),
    /// An amount in a currency, by its ISO 4217 code.
    Money(Currency),
    /// As short as a figure wants it: `1.2 M`.
    Compact,
    /// Microseconds in the units that suit them: `3 min 20 s`.
    Duration,
    /// Bytes in the largest binary unit that leaves a whole part.
    Bytes,
    /// Calendar days; of times only.
    Day,
    /// To the second; of times only.
    Second,
}

/// The name and the look of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SeriesStyle {
    /// The value of `by`, or the column of `y`.
    pub value: String,
    /// What people call it.
    pub name: String,
    /// Which token colours it: 1 is `--series-1`.
    pub color: usize,
    /// Whether its line is thin and dashed.
    #[serde(default)]
    pub dashed: bool,
}

impl Channel {
    /// A column under its own name.
    pub fn of(column: &str) -> Channel {
        Channel { column: column.to_owned(), ..Channel::default() }
    }

    /// The same under a title, in a unit.
    pub fn called(self, title: &str, unit: &str) -> Channel {
        Channel { title: title.to_owned(), unit: unit.to_owned(), ..self }
    }

    /// The same, written so.
    pub fn written(self, format: ValueFormat) -> Channel {
        Channel { format, ..self }
    }

    /// The same, with zero on the axis.
    pub fn from_zero(self) -> Channel {
        Channel { zero: true, ..self }
    }

    /// The same, up to the value of another column.
    pub fn until(self, end: &str) -> Channel {
        Channel { end: Some(end.to_owned()), ..self }
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        if self.title.is_empty() { &self.column } else { &self.title }
    }

    /// Its name and its unit, as a header.
    pub fn header(&self) -> String {
        if self.unit.is_empty() { self.name().to_owned() } else { format!("{}, {}", self.name(), self.unit) }
    }
}

impl ValueFormat {
    /// A number as it is written.
    pub fn number_text(self, value: f64) -> String {
        self.value_text(Number::Float(value)).unwrap_or_else(|| number::float_text(value))
    }

    /// An exact number as it is written; `None` where this is no way to write numbers other than as they are.
    pub fn value_text(self, value: Number) -> Option<String> {
        let format = match self {
            ValueFormat::Fixed(decimals) | ValueFormat::Change(decimals) => Format::Fixed(decimals),
            ValueFormat::Whole => Format::Fixed(0),
            ValueFormat::Percent(decimals) => Format::Share(Some(decimals)),
            ValueFormat::PercentValue(decimals) => Format::Percent(Some(decimals)),
            ValueFormat::Money(currency) => Format::Money(currency),
            ValueFormat::Compact => Format::Compact,
            ValueFormat::Duration => Format::Duration,
            ValueFormat::Bytes => Format::Bytes,
            ValueFormat::Plain | ValueFormat::Day | ValueFormat::Second => return None,
        };
        let text = with_style(|style| format.text(value, style));
        Some(if matches!(self, ValueFormat::Change(_)) { number::signed(text, value.float() > 0.0) } else { text })
    }

    /// An instant as it is written.
    pub fn time_text(self, micros: i64) -> String {
        match self {
            ValueFormat::Day => time::day_text(time::day_of(micros)),
            ValueFormat::Second => time::moment_seconds_text(micros),
            _ => time::valid_text(micros),
        }
    }
}

impl ChartSpec {
    /// A chart of one mark; add what it needs beyond that.
    pub fn new(title: &str, mark: Mark, x: Channel, y: Vec<Channel>) -> ChartSpec {
        ChartSpec { title: title.to_owned(), mark, x, y, by: None, color: None, styles: Vec::new(), totals: Vec::new() }
    }

    /// The unit of the value axis.
    pub fn unit(&self) -> &str {
        self.y.first().map_or("", |channel| match &channel.format {
            ValueFormat::Money(currency) if channel.unit.is_empty() => currency.code(),
            _ => &channel.unit,
        })
    }

    /// What the axes are of, in a few words.
    pub fn axes(&self) -> String {
        let x = self.x.name();
        let y = self.y.first().map_or("", Channel::name);
        let log = self.y.iter().any(|channel| channel.scale == ScaleKind::Log);
        match (self.mark, self.unit()) {
            // These two signs are those of the two times.
            (Mark::HeatMap, _) if x == "Effective" && y == "Known" => format!("↔ {x} · ↕ {y}"),
            (Mark::Plane, _) if x == "Effective" && y == "Known" => format!("↔ {x} · ↕ {y} · grey: known no longer"),
            (Mark::HeatMap | Mark::Plane, _) => format!("{y} ↑ · {x} →"),
            (_, unit) if log || self.is_fan() => {
                let fan = if self.is_fan() { "a line for each ↕ known" } else { "" };
                let scale = if log { "log scale" } else { "" };
                let parts = [unit, fan, scale].into_iter().filter(|part| !part.is_empty());
                parts.collect::<Vec<_>>().join(" · ")
            }
            (Mark::Histogram | Mark::Scatter, "") => format!("{y} ↑ · {x} →"),
            (Mark::Histogram | Mark::Scatter, unit) => format!("{unit} ↑ · {x} →"),
            (Mark::Bar | Mark::StackedBar, "") if self.y.len() == 1 => y.to_owned(),
            (_, unit) => unit.to_owned(),
        }
    }

    /// Whether its lines are one series as it was known at several times.
    pub fn is_fan(&self) -> bool {
        self.mark == Mark::Line && matches!(self.by.as_deref(), Some("known" | "system_from"))
    }

    /// Whether the value axis contains zero.
    pub fn from_zero(&self) -> bool {
        let stands = matches!(
            self.mark,
            Mark::Area | Mark::StackedArea | Mark::Bar | Mark::StackedBar | Mark::Histogram | Mark::Waterfall
        );
        stands || self.y.iter().any(|channel| channel.zero)
    }

    /// The look of a series, if the spec has one for it.
    pub fn style(&self, value: &str) -> Option<&SeriesStyle> {
        self.styles.iter().find(|style| style.value == value)
    }
}
