//! A tile on the editor's grid: what it shows while it is being edited, where it is taken by hand or by keys, and what can be
//! done with it as a whole.

use std::{sync::Arc, time::Duration};

use leptos::{
    ev::{KeyboardEvent, PointerEvent},
    html,
    prelude::*,
};

use super::{
    hands::{Hands, cells, empty_place, put},
    state::Editing,
};
use crate::{
    arrow::Table,
    components::{
        chart::ChartView,
        data_grid::DataGrid,
        icon::{self, icon},
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        PictureDefinition, TileDefinition, Values,
        builder::{Problem, channels, fit_picture},
        question, titled, titled_picture, values, values_for,
    },
    editor::{Command, Direction, Place, columns_of, place_in_direction},
    pages::dashboard::{
        pictures::{TilePicture, picture_of},
        tile::kpi_view,
    },
    queries::client::{About, Request},
    state::tile::{Phase, Tile, use_tile},
    words::ended,
};

/// What is typed is asked for once nothing was typed for so long.
const ASK_AFTER: Duration = Duration::from_millis(100);
/// Rows and columns that a key resizes by.
const STEP: i16 = 1;

/// What a tile asks, or all that is wrong with it; nothing is wrong with words, which ask nothing.
pub(super) type Asks = Result<Request, Vec<Problem>>;

/// What a tile of the editor shows.
#[derive(Clone, Copy)]
struct Preview {
    /// What it asks as it is typed; the problems where it cannot be asked.
    asks: Memo<Asks>,
    /// What was asked last, with the number of that question.
    asked: RwSignal<Option<Request>>,
    read: Tile<(Arc<Table>, i64)>,
    /// The last picture that could be drawn, and why there is none of what is asked now.
    shown: Memo<(Option<Arc<TilePicture>>, Option<String>)>,
}

impl Preview {
    /// The answer to what is asked now; none while it has not come.
    fn answer(&self) -> Option<Arc<Table>> {
        let tick = self.asked.with(|asked| asked.as_ref().map(|asked| asked.about.tick))?;
        self.read.data.get().filter(|read| read.1 == tick).map(|read| read.0.clone())
    }

    fn is_pending(&self) -> bool {
        let asked = self.asked.get();
        let waits = self.asks.with(|asks| match (asks, &asked) {
            (Ok(asks), Some(asked)) => !same(asks, asked),
            (Ok(_), None) => true,
            (Err(_), _) => false,
        });
        waits || self.read.status.phase.with(|phase| *phase == Phase::Loading)
    }
}

/// Whether two requests ask the same, whenever they were asked.
fn same(a: &Request, b: &Request) -> bool {
    let timeless = |request: &Request| Request { about: About { tick: 0, ..request.about.clone() }, ..request.clone() };
    timeless(a).asks_the_same(&timeless(b))
}

/// Reads what a tile asks, once nobody has typed for a moment.
fn preview(editing: Editing, tile: Memo<Arc<TileDefinition>>) -> Preview {
    let asks = Memo::new(move |_| asks_of(editing, &tile.get()));
    let asked = RwSignal::new(None::<Request>);
    let ask = move |request: Request| {
        asked.maybe_update(|asked| {
            let tick = asked.as_ref().map_or(1, |asked| asked.about.tick + 1);
            let new = asked.as_ref().is_none_or(|asked| !same(asked, &request));
            if new {
                *asked = Some(Request { about: About { tick, ..request.about.clone() }, ..request });
            }
            new
        });
    };
    let typed = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let Ok(request) = asks.get() else { return };
        if asked.with_untracked(Option::is_none) {
            return ask(request);
        }
        typed.update_value(|typed| *typed += 1);
        let this = typed.get_value();
        let later = move || {
            if typed.try_get_value() == Some(this) {
                ask(request.clone());
            }
        };
        set_timeout(later, ASK_AFTER);
    });
    let wanted = move || asked.get().map(|asked| Request { snapshot: editing.page.snapshot(), ..asked });
    let read = use_tile(Some(editing.page), wanted, move |table: &Arc<Table>, about: &About| {
        let now = asked.with_untracked(|asked| asked.as_ref().map(|asked| asked.about.tick));
        // Something else is asked by now, and the picture of it would be wrong.
        if now != Some(about.tick) {
            return Err("another question was asked".to_owned());
        }
        Ok(Ok((table.clone(), about.tick)))
    });
    let shown = Memo::new_with_compare(
        move |last: Option<&(Option<Arc<TilePicture>>, Option<String>)>| {
            let before = last.and_then(|last| last.0.clone());
            let (tile, read) = (tile.get(), read.data.get());
            let tick = asked.with(|asked| asked.as_ref().map(|asked| asked.about.tick));
            let Some(read) = read.filter(|read| Some(read.1) == tick) else { return (before, None) };
            match picture_of(&titled_picture(&tile.picture, &untrack(|| values_of(editing))), &read.0) {
                Ok(Ok(picture)) => (Some(Arc::new(picture)), None),
                Ok(Err(why)) => (None, Some(why)),
                // What is typed may be a step ahead of what was answered.
                Err(why) => (before, Some(why)),
            }
        },
        |_, _| true,
    );
    Preview { asks, asked, read, shown }
}

/// What a tile asks at its coordinates; tracked.
pub(super) fn asks_of(editing: Editing, tile: &TileDefinition) -> Asks {
    let moment = editing.moment(tile.coordinates(|name| editing.address.get(name), false));
    let (sql, parameters, first) = match &tile.query {
        Some(query) => {
            let compiled = editing.compiled_now(query)?;
            let bound = compiled.parameters.into_iter().map(|(name, value)| (name, value.into())).collect();
            (compiled.sql, bound, compiled.reduce)
        }
        None if matches!(tile.picture, PictureDefinition::Markdown { .. }) => return Err(Vec::new()),
        None if tile.sql.trim().is_empty() => {
            let reason = "write a statement that reads, such as SELECT * FROM and a dataset".to_owned();
            return Err(vec![Problem::of_statement(reason)]);
        }
        None => (tile.sql.clone(), tile.bound_parameters(), Vec::new()),
    };
    let mut asked = question(&sql, moment, moment.range, false, Vec::new());
    asked.parameters.extend(parameters);
    let chosen = values_of(editing);
    // Without a reason while it is not known what can be chosen.
    let wrong = |reason: String| if reason.is_empty() { Vec::new() } else { vec![Problem::of_statement(reason)] };
    asked.parameters.extend(values_for(&sql, &chosen).map_err(wrong)?);
    let reduce = match tile.query {
        Some(_) => first.into_iter().chain(tile.reductions()).collect(),
        // What a statement gives is not known before it has answered.
        None => tile.reduce.clone(),
    };
    Ok(Request { reduce, ..asked })
}

/// The tile of that id on the grid.
pub(super) fn tile(editing: Editing, id: String, hands: Hands) -> WholeView {
    let last = StoredValue::new(Arc::new(TileDefinition::empty()));
    let definition = {
        let id = id.clone();
        // Once more after it was removed, when it is not there any more.
        Memo::new(move |_| {
            let found = editing.tile(&id);
            found.inspect(|tile| last.set_value(tile.clone())).unwrap_or_else(|| last.get_value())
        })
    };
    let shown = preview(editing, definition);
    tell_columns(editing, id.clone(), definition, shown);
    let title = Memo::new(move |_| {
        let title = definition.with(|tile| tile.title.clone());
        if title.trim().is_empty() { "Without a title".to_owned() } else { title }
    });
    let class = {
        let id = id.clone();
        move || {
            let pulled = hands.pulled.get().filter(|pulled| pulled.0 == id);
            let size = definition.with(|tile| match pulled {
                Some((_, width, rows)) => format!("width-{width} rows-{rows}"),
                None => tile.size_class(),
            });
            format!("dashboard-tile {size}")
        }
    };
    let place = move || {
        let head = editing.document.with(|document| document.head().clone());
        definition.with(|tile| empty_place(&Place::shown(tile, &head)))
    };
    let is = |signal: RwSignal<Option<String>>| {
        let id = id.clone();
        move || (signal.get().as_ref() == Some(&id)).then_some("true")
    };
    let (selected, dragged, target) = (is(editing.selected), is(hands.dragged), is(hands.target));
    let (testid, heading) = (format!("edit-{id}"), format!("edit-{id}-title"));
    let labelled_by = heading.clone();
    let state = move || match shown.asks.with(|asks| asks.as_ref().err().map(Vec::is_empty)) {
        // Words ask nothing; anything else waits for what can be chosen of a variable.
        Some(true) if definition.with(|tile| matches!(tile.picture, PictureDefinition::Markdown { .. })) => "ready",
        Some(true) => "loading",
        Some(false) => "error",
        None if shown.is_pending() => "loading",
        None => shown.read.status.phase.with(Phase::word),
    };
    let select = {
        let id = id.clone();
        move |_| editing.selected.set(Some(id.clone()))
    };
    view! {
        <div
            class=class
            data-cell=id.clone()
            data-place=place
            data-selected=selected
            data-dragged=dragged
            data-target=target
            on:click=select
        >
            <section class="tile editor-tile" data-testid=testid data-state=state aria-labelledby=labelled_by>
                <header class="tile-header">
                    {handle(editing, &id, title, definition, hands)}
                    <h2 id=heading>{move || titled(&title.get(), &values_of(editing))}</h2>
                    {tools(editing, &id, title)}
                </header>
                <div class="tile-progress" aria-hidden="true"></div>
                {changing(move || trouble(shown))}
                <div class="tile-body">
                    {changing(move || words(definition))}
                    {picture(&id, title, shown)}
                </div>
                {corner(editing, &id, definition, hands)}
            </section>
        </div>
    }
    .whole()
}

/// The columns that a statement's answer has, for the choice of its picture; a picture of other columns is replaced.
fn tell_columns(editing: Editing, id: String, definition: Memo<Arc<TileDefinition>>, shown: Preview) {
    Effect::new(move |_| {
        let Some(table) = shown.answer().filter(|_| definition.with_untracked(|tile| tile.query.is_none())) else {
            return;
        };
        let columns = columns_of(&table);
        let keep_kind = editing.automatic.with_untracked(|automatic| !automatic.contains(&id));
        let tile = definition.get_untracked();
        let fitted = fit_picture(&tile.title, &tile.picture, &columns, keep_kind);
        let names_all = channels(&tile.picture).iter().all(|channel| table.column(&channel.column).is_ok());
        if (!names_all || !keep_kind) && fitted != tile.picture {
            editing.edit(&id, "sql", |tile| tile.picture = fitted);
        }
        editing.columns.maybe_update(|known| known.insert(id.clone(), columns.clone()).as_ref() != Some(&columns));
    });
}

/// What keeps a tile from being shown, and what to do about it. The last picture stays below.
fn trouble(shown: Preview) -> Option<WholeView> {
    let problems =
        shown.asks.with(|asks| asks.as_ref().err().map(|problems| problems.first().map(ToString::to_string)));
    let reason = match problems {
        Some(first) => first,
        None => match (shown.read.status.phase.get(), shown.shown.with(|shown| shown.1.clone())) {
            (Phase::Error(why), _) => Some(why),
            (Phase::Ready, Some(why)) if !shown.is_pending() => Some(why),
            _ => None,
        },
    }?;
    let kept = shown.shown.with(|shown| shown.0.is_some()).then_some(" What is shown below is older.");
    Some(view! { <div class="tile-error"><p role="status">{ended(reason)} {kept}</p></div> }.whole())
}

/// The words of a tile that is made of them, as they are written.
fn words(definition: Memo<Arc<TileDefinition>>) -> Option<WholeView> {
    definition.with(|tile| match &tile.picture {
        PictureDefinition::Markdown { text } => Some(view! { <p class="editor-words">{text.clone()}</p> }.whole()),
        _ => None,
    })
}

/// What is chosen for the variables of the page; tracked.
fn values_of(editing: Editing) -> Values {
    editing
        .variables
        .with(|variables| editing.options.with(|options| values(variables, options, |name| editing.address.get(name))))
}

fn picture(id: &str, title: Memo<String>, shown: Preview) -> WholeView {
    let (chart_id, table_id, kpi_id) = (format!("chart-{id}"), format!("table-{id}"), id.to_owned());
    let kind = Memo::new(move |_| {
        shown.shown.with(|shown| match shown.0.as_deref() {
            None => 0,
            Some(TilePicture::Chart(_)) => 1,
            Some(TilePicture::Grid(_)) => 2,
            Some(TilePicture::Kpi(..)) => 3,
        })
    });
    changing(move || match kind.get() {
        0 => ().whole(),
        1 => {
            let picture = Signal::derive(move || {
                shown.shown.with(|shown| match shown.0.as_deref() {
                    Some(TilePicture::Chart(picture)) => Some(picture.clone()),
                    _ => None,
                })
            });
            view! { <ChartView testid=chart_id.clone() table_testid=table_id.clone() picture /> }.whole()
        }
        2 => {
            let data = Signal::derive(move || {
                shown.shown.with(|shown| match shown.0.as_deref() {
                    Some(TilePicture::Grid(data)) => Some(data.clone()),
                    _ => None,
                })
            });
            view! { <DataGrid label=title testid=table_id.clone() data /> }.whole()
        }
        _ => kpi_view(Signal::derive(move || shown.shown.with(|shown| shown.0.clone())), String::new(), &kpi_id),
    })
    .whole()
}

/// What can be done with the whole tile.
fn tools(editing: Editing, id: &str, title: Memo<String>) -> WholeView {
    let button = |word: &'static str, sign: &'static str, testid: &str, act: Callback<String>| {
        let (id, testid) = (id.to_owned(), format!("{testid}-{id}"));
        view! {
            <button
                type="button"
                data-testid=testid
                aria-label=move || format!("{word} {}", title.get())
                title=word
                on:click=move |event| {
                    // The tile below would be chosen again, whatever this did.
                    event.stop_propagation();
                    act.run(id.clone());
                }
            >
                {icon(sign)}
            </button>
        }
        .whole()
    };
    let edit = Callback::new(move |id: String| {
        editing.selected.set(Some(id));
        crate::browser::focus(super::panel::HEADING);
    });
    let remove = Callback::new(move |id| {
        editing.apply(Command::Remove(id));
        crate::browser::focus(super::panel::HEADING);
    });
    view! {
        <div class="editor-tools">
            {button("Edit", icon::PENCIL, "open", edit)}
            {button("Duplicate", icon::COPY, "duplicate", Callback::new(move |id| editing.apply(Command::Duplicate(id))))}
            {button("Remove", icon::CROSS, "remove", remove)}
        </div>
    }
    .whole()
}

/// Where a tile is taken: dragged by hand, moved by arrow keys, resized by arrow keys with Shift.
fn handle(
    editing: Editing,
    id: &str,
    title: Memo<String>,
    definition: Memo<Arc<TileDefinition>>,
    hands: Hands,
) -> WholeView {
    let node = NodeRef::<html::Button>::new();
    let (press_id, key_id, testid) = (id.to_owned(), id.to_owned(), format!("handle-{id}"));
    let press = move |event: PointerEvent| {
        if event.button() == 0 {
            if let Some(node) = node.get_untracked() {
                // Fails for a pointer that has gone; then nothing follows.
                let _ = node.set_pointer_capture(event.pointer_id());
            }
            hands.dragged.set(Some(press_id.clone()));
        }
    };
    let key = move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        let (direction, wider, higher) = match event.key().as_str() {
            "ArrowLeft" => (Direction::Left, -STEP, 0),
            "ArrowRight" => (Direction::Right, STEP, 0),
            "ArrowUp" => (Direction::Up, 0, -STEP),
            "ArrowDown" => (Direction::Down, 0, STEP),
            _ => return,
        };
        event.prevent_default();
        if event.shift_key() {
            let (width, rows) = definition.with_untracked(|tile| (tile.width, tile.rows()));
            let stepped = |size: u8, step: i16| u8::try_from(i16::from(size) + step).unwrap_or(1);
            let id = key_id.clone();
            editing.apply(Command::Resize { id, width: stepped(width, wider), rows: stepped(rows, higher) });
        } else {
            let all = cells();
            let place = all.iter().position(|cell| cell.id == key_id).unwrap_or_default();
            let rects: Vec<_> = all.iter().map(|cell| cell.rect).collect();
            if let Some(target) = all.get(place_in_direction(&rects, place, direction)) {
                put(editing, key_id.clone(), &target.id);
            }
            // Where it has gone the focus goes too.
            let focus = format!("handle-{key_id}");
            request_animation_frame(move || {
                crate::browser::focus(&focus);
            });
        }
    };
    view! {
        <button
            type="button"
            class="tile-handle"
            id=testid.clone()
            data-testid=testid
            node_ref=node
            aria-label=move || format!("Move or resize {}", title.get())
            aria-describedby="editor-keys"
            on:pointerdown=press
            on:pointermove=move |event| hands.drag(&event)
            on:pointerup=move |_| hands.drop(editing)
            on:pointercancel=move |_| hands.leave()
            on:keydown=key
        >
            <span aria-hidden="true">"⠿"</span>
        </button>
    }
    .whole()
}

/// Where a tile is pulled larger or smaller. By keys the handle does the same.
fn corner(editing: Editing, id: &str, definition: Memo<Arc<TileDefinition>>, hands: Hands) -> WholeView {
    let node = NodeRef::<html::Div>::new();
    let (id, testid) = (id.to_owned(), format!("corner-{id}"));
    let press = move |event: PointerEvent| {
        event.prevent_default();
        if let Some(node) = node.get_untracked().filter(|_| event.button() == 0) {
            let _ = node.set_pointer_capture(event.pointer_id());
            hands.pull(&id, definition.with_untracked(|tile| (tile.width, tile.rows())), &event);
        }
    };
    view! {
        <div
            class="tile-corner"
            aria-hidden="true"
            data-testid=testid
            node_ref=node
            on:pointerdown=press
            on:pointermove=move |event| hands.drag(&event)
            on:pointerup=move |_| hands.drop(editing)
            on:pointercancel=move |_| hands.leave()
        ></div>
    }
    .whole()
}
