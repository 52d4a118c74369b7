//! How a tile looks: its picture, how numbers are written, how large it is, and over which effective times it is shown.

use leptos::prelude::*;

use super::{Panel, places};
use crate::{
    charts::ValueFormat,
    components::whole::{Whole, WholeView, changing},
    dashboards::{
        GRID_COLUMNS, PictureDefinition, ROWS,
        builder::{OutputColumn, PictureKind, TileQuery, as_kind, pictures, value_channels_mut},
    },
    editor::Command,
    pages::editor::fields::{Options, button, choice, number, text, value_format},
    state::coordinates::{Coordinates, Effective},
};

pub(super) fn form(panel: Panel) -> WholeView {
    let is_drawn =
        Memo::new(move |_| panel.tile.with(|tile| !matches!(tile.picture, PictureDefinition::Markdown { .. })));
    let picture = move || {
        is_drawn.get().then(|| {
            view! {
                <fieldset class="field-group">
                    <legend>"Picture"</legend>
                    {kind(panel)}
                    {numbers(panel)}
                </fieldset>
            }
            .whole()
        })
    };
    view! {
        {changing(picture)}
        <fieldset class="field-group">
            <legend>"Size, place and times"</legend>
            {size(panel)}
            {places::of_tile(panel)}
            {changing(move || is_drawn.get().then(|| effective(panel)))}
        </fieldset>
    }
    .whole()
}

/// The columns that there are to be drawn; tracked.
pub(super) fn columns(panel: Panel) -> Vec<OutputColumn> {
    let query = panel.tile.with(|tile| tile.query.clone());
    match query {
        Some(query) => {
            // Whatever lies below it.
            let alone = TileQuery { down: None, ..*query };
            panel.editing.compiled_now(&alone).map(|question| question.columns).unwrap_or_default()
        }
        None => panel.editing.columns.with(|columns| columns.get(&panel.id.get_value()).cloned().unwrap_or_default()),
    }
}

fn kind(panel: Panel) -> WholeView {
    let kinds = Memo::new(move |_| {
        let all = pictures("", &columns(panel));
        all.iter().map(|picture| PictureKind::of(picture).word().to_owned()).collect::<Vec<_>>()
    });
    let options = move || -> Options {
        let first = |(place, word): (usize, String)| {
            let shown = if place == 0 { format!("{word} (suggested)") } else { word.clone() };
            (word, shown)
        };
        kinds.get().into_iter().enumerate().map(first).collect()
    };
    let current = move || panel.tile.with(|tile| PictureKind::of(&tile.picture).word().to_owned());
    let choose = move |word: String| {
        let (columns, tile) = (untrack(|| columns(panel)), panel.tile.get_untracked());
        let all = pictures(&tile.title, &columns);
        let kind = all.iter().map(PictureKind::of).find(|kind| kind.word() == word);
        let picture = kind.and_then(|kind| as_kind(&tile.title, &tile.picture, &columns, kind));
        if let Some(picture) = picture {
            panel.editing.choose_picture(&panel.id.get_value(), picture);
            panel.editing.settle();
        }
    };
    choice("Drawn as", "picture", options, current, choose)
}

fn numbers(panel: Panel) -> WholeView {
    let first = move || {
        let mut picture = panel.tile.with(|tile| tile.picture.clone());
        value_channels_mut(&mut picture).first().map(|channel| (channel.format, channel.unit.clone()))
    };
    let has_numbers = Memo::new(move |_| first().is_some());
    let format = move || first().map_or(ValueFormat::Plain, |(format, _)| format);
    let choose = move |format: ValueFormat| {
        panel.edit("format", |tile| {
            value_channels_mut(&mut tile.picture).into_iter().for_each(|channel| channel.format = format);
        });
        panel.editing.settle();
    };
    let set_unit = move |unit: String| {
        panel.edit("unit", |tile| {
            value_channels_mut(&mut tile.picture).into_iter().for_each(|channel| channel.unit.clone_from(&unit));
        });
    };
    let unit = move || first().map(|(_, unit)| unit).unwrap_or_default();
    changing(move || {
        has_numbers.get().then(|| {
            view! {
                <div class="field-row">
                    {value_format("format", format, choose)}
                    {text("Unit", "unit", unit, set_unit, move || panel.editing.settle())}
                </div>
            }
            .whole()
        })
    })
    .whole()
}

fn size(panel: Panel) -> WholeView {
    let resize = move |width: Option<u32>, rows: Option<u32>| {
        let now = panel.tile.try_with_untracked(|tile| (tile.width, tile.rows()));
        let Some(((now_width, now_rows), id)) = now.zip(panel.id.try_get_value()) else { return };
        let within = |size: Option<u32>, now: u8| size.and_then(|size| u8::try_from(size).ok()).unwrap_or(now);
        let (width, rows) = (within(width, now_width), within(rows, now_rows));
        panel.editing.apply(Command::Resize { id, width, rows });
    };
    view! {
        <div class="field-row">
            {number(
                format!("Width, of {GRID_COLUMNS}"),
                "tile-width",
                (1, u32::from(GRID_COLUMNS)),
                move || panel.tile.with(|tile| u32::from(tile.width)),
                move |width| resize(Some(width), None),
            )}
            {number(
                "Height, in rows",
                "tile-rows",
                (u32::from(ROWS.0), u32::from(ROWS.1)),
                move || panel.tile.with(|tile| u32::from(tile.rows())),
                move |rows| resize(None, Some(rows)),
            )}
        </div>
    }
    .whole()
}

/// Effective times of the tile's own.
fn effective(panel: Panel) -> WholeView {
    let own = move || {
        panel.tile.with(|tile| {
            let has = ["on", "last", "from", "to"].iter().any(|name| tile.times.contains_key(*name));
            has.then(|| Coordinates::read(|name| tile.times.get(name).cloned()).0.effective)
        })
    };
    let problem = RwSignal::new(String::new());
    let typed = move |typed: String| {
        // Also told when the field is taken away.
        let Some(id) = panel.id.try_get_value() else { return };
        let chosen = match typed.trim() {
            "" => Ok(None),
            some => Effective::parse_field(some).map(Some),
        };
        match chosen {
            Ok(chosen) => {
                problem.set(String::new());
                panel.editing.choose_effective(&id, chosen);
                panel.editing.settle();
            }
            Err(reason) => problem.set(reason),
        }
    };
    let as_page = move || {
        problem.set(String::new());
        panel.editing.choose_effective(&panel.id.get_value(), None);
        panel.editing.settle();
        crate::browser::focus(super::HEADING);
    };
    let has_own = Memo::new(move |_| own().is_some());
    view! {
        <div class="field-row">
            <label class="field">
                <span class="field-name">
                    <span aria-hidden="true">"↔ "</span>
                    "Effective; empty as the page"
                </span>
                <input
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    data-testid="tile-effective"
                    aria-describedby="tile-effective-problem"
                    aria-invalid=move || problem.with(|problem| (!problem.is_empty()).then_some("true"))
                    prop:value=move || own().map(Effective::field_text).unwrap_or_default()
                    on:change:target=move |event| typed(event.target().value())
                />
            </label>
            {changing(move || has_own.get().then(|| button("As the page", "effective-as-page", as_page)))}
        </div>
        <p class="field-problem" id="tile-effective-problem" role="status">{changing(move || problem.get())}</p>
    }
    .whole()
}
