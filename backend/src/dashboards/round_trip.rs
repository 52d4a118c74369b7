//! Any definition at all, written and read again in each syntax, says the same.

use std::collections::BTreeMap;

use app::{
    charts::{Channel, ChartSpec, Mark, ScaleKind, SeriesStyle, ValueFormat},
    dashboards::{
        Dashboard, FORMAT, Level, OnBrush, OnPick, PictureDefinition, Section, Tab, TileDefinition, Variable,
        VariableKind,
        builder::{
            Aggregate, Calculated, Comparison, Distribution, Down, Facts, FilterDefinition, Grain, Measure, Over,
            TileQuery, TimeAxis, Top, ValueTest,
        },
    },
    format::value::Currency,
    queries::client::{Others, Reduction},
};
use proptest::prelude::*;

use super::{
    diff,
    reading::{self, Syntax},
};

// Strategies of large values are boxed: by value they would not fit onto the stack of a test.

/// Words as people and their enemies write them: what YAML takes for something else, several lines, blanks at the ends.
fn words() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        " ",
        "yes",
        "no",
        "on",
        "null",
        "~",
        "true",
        "1",
        "1.0",
        "0x1f",
        "1e3",
        ".inf",
        "2026-03-31",
        "a: b",
        "# a",
        "- a",
        "'",
        "\"",
        "\\",
        "|",
        ">",
        "&a",
        "*a",
        "!tag",
        "%",
        "@",
        "`",
        "{a}",
        "[a]",
        "a\n",
        "\na",
        "a\n\nb",
        " a",
        "a ",
        "a\tb",
        "SELECT 1\nFROM x\n",
        "  SELECT\n 1",
        "é",
        "日本",
        "\u{200f}",
        "\u{1f600}",
        "a\r\nb",
        "---",
        "...",
        "? a",
        "=",
        "<<",
        "a #b",
        "a:",
        ":a",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{7f}",
    ]);
    prop_oneof![odd.prop_map(str::to_owned), "[ -~]{0,20}", "\\PC{0,12}", "[a-z \n]{0,40}"]
}

fn id() -> impl Strategy<Value = String> {
    words().prop_map(|text| if text.is_empty() { "x".to_owned() } else { text })
}

fn format() -> impl Strategy<Value = ValueFormat> {
    let money = Currency::of_code("chf").map_or(ValueFormat::Plain, ValueFormat::Money);
    prop_oneof![
        prop::sample::select(vec![
            ValueFormat::Plain,
            ValueFormat::Whole,
            ValueFormat::Compact,
            ValueFormat::Day,
            money
        ]),
        (0_usize..9).prop_map(ValueFormat::Fixed),
        (0_usize..9).prop_map(ValueFormat::Percent),
    ]
}

fn channel() -> BoxedStrategy<Channel> {
    let scale = prop::sample::select(vec![ScaleKind::Auto, ScaleKind::Log, ScaleKind::Category]);
    (words(), prop::option::of(words()), words(), words(), format(), scale, any::<bool>())
        .prop_map(|(column, end, title, unit, format, scale, zero)| Channel {
            column,
            end,
            title,
            unit,
            format,
            scale,
            zero,
        })
        .boxed()
}

fn chart() -> BoxedStrategy<PictureDefinition> {
    let mark = prop::sample::select(vec![Mark::Line, Mark::StackedArea, Mark::HeatMap, Mark::Plane]);
    let style = (words(), words(), 0_usize..9, any::<bool>()).prop_map(|(value, name, color, dashed)| SeriesStyle {
        value,
        name,
        color,
        dashed,
    });
    let spec = (words(), mark, channel(), prop::collection::vec(channel(), 0..3), prop::option::of(words()));
    (spec, prop::option::of(channel()), prop::collection::vec(style, 0..2))
        .prop_map(|((title, mark, x, y, by), color, styles)| {
            let totals = styles.iter().map(|style: &SeriesStyle| style.name.clone()).collect();
            PictureDefinition::Chart(Box::new(ChartSpec { title, mark, x, y, by, color, styles, totals }))
        })
        .boxed()
}

fn picture() -> BoxedStrategy<PictureDefinition> {
    prop_oneof![
        chart(),
        prop::collection::vec(channel(), 0..3).prop_map(|columns| PictureDefinition::Grid { columns }),
        (channel(), channel()).prop_map(|(value, at)| PictureDefinition::Kpi { value, at }),
        (channel(), channel(), channel()).prop_map(|(rows, columns, value)| PictureDefinition::Pivot {
            rows,
            columns,
            value
        }),
    ]
    .boxed()
}

fn reductions() -> impl Strategy<Value = Vec<Reduction>> {
    let top = (words(), words(), 1_u32..9).prop_map(|(by, of, n)| Reduction::Top {
        by,
        of: vec![of],
        n,
        others: Others::Sum,
    });
    let bins = (words(), prop::option::of(words()), prop::option::of(1_u32..9))
        .prop_map(|(x, y, rows)| Reduction::Bins { x, y, columns: 7, rows, of: None, aggregate: "count".to_owned() });
    prop::collection::vec(prop_oneof![top, bins], 0..2)
}

fn pick() -> impl Strategy<Value = Option<OnPick>> {
    let pick = prop_oneof![
        words().prop_map(|column| OnPick::Filter { column }),
        words().prop_map(|column| OnPick::Drill { column }),
        (words(), prop::collection::vec(words(), 0..3)).prop_map(|(dataset, key)| OnPick::Versions { dataset, key }),
    ];
    prop::option::of(pick)
}

fn brush() -> impl Strategy<Value = Option<OnBrush>> {
    prop::option::of(prop_oneof![Just(OnBrush::Effective), words().prop_map(|column| OnBrush::Filter { column })])
}

/// A statement: never empty, which is for words alone.
fn sql() -> impl Strategy<Value = String> {
    words().prop_map(|text| format!("SELECT {text}"))
}

fn level() -> BoxedStrategy<Level> {
    (sql(), reductions(), any::<bool>(), picture(), pick(), brush())
        .prop_map(|(sql, reduce, raw, picture, on_pick, on_brush)| Level {
            sql,
            reduce,
            raw,
            picture,
            on_pick,
            on_brush,
        })
        .boxed()
}

/// A question without SQL, whatever its words.
fn query() -> BoxedStrategy<TileQuery> {
    let texts = || prop::collection::vec(words(), 0..3);
    let some = || texts().prop_map(|texts| texts.into_iter().map(Some).chain([None]).collect::<Vec<_>>());
    let test = prop_oneof![
        some().prop_map(ValueTest::OneOf),
        some().prop_map(ValueTest::NoneOf),
        words().prop_map(ValueTest::AtLeast),
        words().prop_map(ValueTest::LessThan),
        words().prop_map(ValueTest::Containing),
        any::<bool>().prop_map(ValueTest::Missing),
        words().prop_map(|name| ValueTest::Variable { name, how: Comparison::AtLeast }),
    ];
    let filters = prop::collection::vec((words(), test).prop_map(|(field, is)| FilterDefinition { field, is }), 0..3);
    let calculated =
        prop::collection::vec((words(), words()).prop_map(|(name, formula)| Calculated { name, formula }), 0..2);
    let aggregate = prop::option::of(prop::sample::select(Aggregate::ALL.to_vec()));
    let defined = prop::option::of(words());
    let measure = (defined, prop::option::of(words()), aggregate, words())
        .prop_map(|(measure, field, aggregate, title)| Measure { measure, field, aggregate, title });
    let axes: Vec<TimeAxis> = TimeAxis::ALL.iter().map(|axis| axis.0).collect();
    let over = (prop::sample::select(axes), prop::sample::select(Grain::ALL.to_vec()));
    let over = prop::option::of(over.prop_map(|(time, grain)| Over { time, grain }));
    let top = prop::option::of((any::<u32>(), any::<bool>()).prop_map(|(n, others)| Top { n, others }));
    let down = prop::option::of(prop_oneof![Just(Down::Facts), words().prop_map(Down::Hierarchy)]);
    (words(), any::<bool>(), calculated, prop::collection::vec(measure, 0..3), over, texts(), filters, (top, down))
        .prop_map(|(dataset, beginning, calculated, measures, over, by, filters, (top, down))| TileQuery {
            facts: if beginning { Facts::Beginning } else { Facts::HoldingAtEnd },
            distribution: by.first().map(|field| Distribution { field: field.clone(), stretches: 7 }),
            dataset,
            calculated,
            measures,
            over,
            by,
            filters,
            top,
            down,
        })
        .boxed()
}

fn tile() -> BoxedStrategy<TileDefinition> {
    let asked = (level(), prop::collection::vec(level(), 0..2));
    let said = words().prop_map(|text| {
        let picture = PictureDefinition::Markdown { text };
        let (sql, reduce) = (String::new(), Vec::new());
        (Level { sql, reduce, raw: false, picture, on_pick: None, on_brush: None }, Vec::new())
    });
    let times = prop::collection::btree_map("last|known|on", words(), 0..3);
    let place = (prop::sample::select(vec!["", "s1"]), 1_u8..=12, any::<bool>(), prop::option::of(3_u8..=16));
    // In the place of a statement; words ask nothing.
    let query = prop::option::of(query());
    (words(), prop_oneof![4 => asked.boxed(), 1 => said.boxed()], times, place, query)
        .prop_map(|(title, (own, levels), times, (section, width, tall, rows), query)| {
            let times: BTreeMap<String, String> = times;
            let Level { sql, reduce, raw, picture, on_pick, on_brush } = own;
            let query = query.filter(|_| !sql.is_empty());
            let sql = if query.is_some() { String::new() } else { sql };
            let (id, section, tab) = (String::new(), section.to_owned(), String::new());
            TileDefinition {
                id,
                title,
                section,
                tab,
                width,
                tall,
                rows,
                sql,
                query: query.map(Box::new),
                reduce,
                raw,
                picture,
                on_pick,
                on_brush,
                times,
                levels,
                ..TileDefinition::empty()
            }
        })
        .boxed()
}

fn variable() -> BoxedStrategy<Variable> {
    let bound =
        || prop::option::of(prop_oneof![Just(0.0), Just(-1.5), (-1_000_000_i32..1_000_000).prop_map(f64::from)]);
    let kind = prop_oneof![
        prop::collection::vec(words(), 1..4).prop_map(|options| VariableKind::Choice { options }),
        Just(VariableKind::Text),
        Just(VariableKind::Time),
        (bound(), bound()).prop_map(|(min, step)| VariableKind::Number { min, max: None, step }),
        sql().prop_map(|sql| VariableKind::Query { sql: sql.replace('$', "") }),
    ];
    (words(), kind, any::<bool>())
        .prop_map(|(title, kind, multiple)| {
            let default = match &kind {
                VariableKind::Choice { options } => options[..1].to_vec(),
                _ => Vec::new(),
            };
            let multiple = multiple && matches!(kind, VariableKind::Choice { .. } | VariableKind::Query { .. });
            Variable { name: String::new(), title, kind, multiple, default }
        })
        .boxed()
}

/// Makes a question go together with the rest of its tile, and with the variables there are.
fn going_together(tile: &mut TileDefinition, variable: &str) {
    let Some(query) = &mut tile.query else { return };
    for filter in &mut query.filters {
        if let ValueTest::Variable { name, .. } = &mut filter.is {
            variable.clone_into(name);
        }
    }
    if query.down.is_some() {
        tile.on_pick = None;
        tile.levels.clear();
    }
}

fn dashboard() -> impl Strategy<Value = Dashboard> {
    let lists = (prop::collection::vec(tile(), 0..4), prop::collection::vec(variable(), 0..4));
    let said = (id(), words(), prop::collection::vec(words(), 0..3), prop::option::of(words()));
    (lists, said, words()).prop_map(|((mut tiles, mut variables), (title, description, tags, notes), section)| {
        // Names have to differ; what they are does not matter beyond that.
        tiles.iter_mut().enumerate().for_each(|(place, tile)| tile.id = format!("t {place}: #"));
        variables.iter_mut().enumerate().for_each(|(place, variable)| variable.name = format!("v{place}"));
        let first = variables.first().map(|variable| variable.name.clone()).unwrap_or_default();
        tiles.iter_mut().for_each(|tile| going_together(tile, &first));
        Dashboard {
            format: FORMAT,
            name: "any-1".to_owned(),
            title: if title.trim().is_empty() { "T".to_owned() } else { title },
            description,
            folder: "a/b c".to_owned(),
            tags,
            notes,
            variables,
            tabs: vec![Tab { id: "t1".to_owned(), title: section.clone() }],
            sections: vec![Section { id: "s1".to_owned(), title: section, tab: "t1".to_owned(), folded: true }],
            tiles,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_definition_survives_json_and_yaml(dashboard in dashboard()) {
        prop_assert_eq!(dashboard.problems(), vec![]);
        for syntax in [Syntax::Json, Syntax::Yaml] {
            let text = reading::write(&dashboard, syntax).map_err(TestCaseError::fail)?;
            let read = reading::read(&text, syntax);
            prop_assert_eq!(read.as_ref(), Ok(&dashboard), "{}", text);
        }
        // JSON is YAML, too.
        let json = reading::canonical(&dashboard);
        let read = reading::read(&json, Syntax::Json);
        prop_assert_eq!(read.as_ref(), Ok(&dashboard));
        prop_assert_eq!(diff::differences(&dashboard, &dashboard), vec![]);
    }

    #[test]
    fn a_text_that_is_cut_off_or_altered_is_read_or_refused_and_never_a_panic(
        dashboard in dashboard(),
        cut in 0_usize..2_000,
        put_in in "[\\PC\n]{0,3}",
    ) {
        for syntax in [Syntax::Json, Syntax::Yaml] {
            let text = reading::write(&dashboard, syntax).map_err(TestCaseError::fail)?;
            let cut = text.floor_char_boundary(cut.min(text.len()));
            for altered in [text[..cut].to_owned(), format!("{}{put_in}{}", &text[..cut], &text[cut..])] {
                if let Err(mistakes) = reading::read(&altered, syntax) {
                    prop_assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.reason.is_empty()));
                }
            }
        }
    }
}
