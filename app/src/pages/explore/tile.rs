//! A tile of Explore: a question, drawn as suits it best. What is clicked on or marked narrows the page down.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Context, keep::Kept};
use crate::{
    components::{
        chart::{ChartView, Pick, Picture},
        data_grid::DataGrid,
        tile::TileFrame,
        whole::{Whole, WholeView, changing},
    },
    dashboards::{
        Moment, PictureDefinition,
        builder::{Over, Question, TileQuery, TimeAxis, compile, pictures, title_of},
        question,
    },
    format::{
        number,
        time::{self, DAY_MICROS},
    },
    pages::{
        dashboard::{
            pictures::{TilePicture, picture_of},
            tile::kpi_view,
        },
        editor::fields::button,
        filters::show_only,
    },
    queries::client::Request,
    state::tile::{Phase, Tile, use_tile},
    words::ended,
};

/// A question with the statement and the picture that were made of it.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    query: TileQuery,
    question: Question,
    picture: PictureDefinition,
}

/// The tile of a column, half as wide as the page.
pub(super) fn column(
    context: Context,
    place: usize,
    ask: impl Fn() -> Option<TileQuery> + Send + Sync + 'static,
) -> WholeView {
    let counted = Signal::derive(move || match context.counts.with(|counts| counts.get(place).copied()) {
        Some((0, different)) => format!("{} different", number::count_text(different)),
        Some((missing, different)) => {
            format!("{} different, {} missing", number::count_text(different), number::count_text(missing))
        }
        None => String::new(),
    });
    framed(context, &format!("column-{place}"), 4, counted, ask)
}

/// A tile; `width` of the twelve columns.
pub(super) fn tile(
    context: Context,
    id: &str,
    width: u8,
    ask: impl Fn() -> Option<TileQuery> + Send + Sync + 'static,
) -> WholeView {
    framed(context, id, width, Signal::derive(String::new), ask)
}

fn framed(
    context: Context,
    id: &str,
    width: u8,
    note: Signal<String>,
    ask: impl Fn() -> Option<TileQuery> + Send + Sync + 'static,
) -> WholeView {
    let asked = Memo::new(move |_| {
        let query = ask()?;
        let question = context.fields.with(|fields| compile(&query, fields));
        Some(question.map(|question| {
            let picture = pictures(&title_of(&query), &question.columns).swap_remove(0);
            Asked { query, question, picture }
        }))
    });
    let read = use_tile(
        Some(context.page),
        move || asked.with(|asked| request(context, asked.as_ref()?.as_ref().ok()?)),
        move |table, about| {
            let asked = asked.get_untracked().and_then(Result::ok).ok_or("nothing is asked any more")?;
            // Another dataset may have other columns.
            if about.dataset != asked.query.dataset {
                return Err("another dataset was chosen".to_owned());
            }
            picture_of(&asked.picture, table)
        },
    );
    let title = Memo::new(move |_| {
        asked.with(|asked| match asked {
            Some(Ok(asked)) => match (&asked.query.distribution, &asked.query.by[..]) {
                (Some(distribution), _) => distribution.field.clone(),
                (None, [by]) if asked.query.over.is_none() && asked.query.top.is_some() => by.clone(),
                _ => title_of(&asked.query),
            },
            _ => String::new(),
        })
    });
    // What cannot be asked is not waited for.
    Effect::new(move |_| {
        let none = context.extent.with(|extent| extent.as_ref().is_some_and(|extent| extent.first.is_none()));
        let wrong = asked.with(|asked| {
            let problems = asked.as_ref()?.as_ref().err()?;
            problems.first().map(|problem| ended(problem.to_string()))
        });
        if let Some(why) = wrong.or_else(|| none.then(|| "It holds no facts yet. Send it records.".to_owned())) {
            read.status.phase.set(Phase::Empty(why));
        }
    });
    let keep = move || {
        let Some(Ok(asked)) = asked.get_untracked() else { return };
        let extent = context.extent.get_untracked();
        let days = extent.and_then(|extent| extent.first.zip(extent.last));
        context.keeping.set(Some(Kept { query: asked.query, picture: asked.picture, days }));
    };
    let note = Signal::derive(move || {
        let unfinished = || asked.with(|asked| unfinished(context, &asked.as_ref()?.as_ref().ok()?.query, read));
        Some(note.get()).filter(|note| !note.is_empty()).or_else(unfinished).unwrap_or_default()
    });
    let class = format!("dashboard-tile width-{width}");
    let testid = format!("tile-{id}");
    let (id, keep_id) = (id.to_owned(), format!("keep-{id}"));
    let content = move || {
        let (title, id, keep_id) = (title.get(), id.clone(), keep_id.clone());
        view! {
            <TileFrame title testid=testid.clone() status=read.status note>
                {shown(context, &id, asked, read)}
                <div class="tile-keep">{button("Keep as a tile", keep_id, keep)}</div>
            </TileFrame>
        }
        .whole()
    };
    view! { <div class=class>{changing(content)}</div> }.whole()
}

/// That the last step of a time is not over: what is counted or added up in it looks like a fall.
fn unfinished(context: Context, query: &TileQuery, read: Tile<TilePicture>) -> Option<String> {
    let grain = query.over?.grain;
    let picture = read.data.get()?;
    let TilePicture::Chart(picture) = &*picture else { return None };
    let last = picture.data.x_bounds().filter(|_| picture.data.x_is_time())?.1;
    let moment = context.known.get().instant().or_else(|| context.page.moment())?;
    let step = |micros: i64| grain.step_of(time::day_of(micros));
    (step(last as i64) >= step(moment)).then(|| format!("the last {} is not over", grain.word()))
}

fn request(context: Context, asked: &Asked) -> Option<Request> {
    let extent = context.extent.get()?;
    let (first, last) = (extent.first?, extent.last?);
    let range = (first * DAY_MICROS, (last + 1) * DAY_MICROS);
    let moment = Moment { known: context.known.get(), range, compared: None };
    let mut request = question(&asked.question.sql, moment, range, false, Vec::new());
    let bound = asked.question.parameters.iter();
    request.parameters.extend(bound.map(|(name, value)| (name.clone(), value.clone().into())));
    request.about.dataset.clone_from(&asked.query.dataset);
    let reduce = asked.question.reduce.clone();
    Some(Request { reduce, snapshot: context.page.snapshot(), ..request })
}

fn shown(
    context: Context,
    id: &str,
    asked: Memo<Option<Result<Asked, Vec<crate::dashboards::builder::Problem>>>>,
    read: Tile<TilePicture>,
) -> WholeView {
    let (chart_id, table_id, kpi_id) = (format!("chart-{id}"), format!("table-{id}"), id.to_owned());
    let kind = Memo::new(move |_| match read.data.get().as_deref() {
        None => 0,
        Some(TilePicture::Chart(_)) => 1,
        Some(TilePicture::Grid(_)) => 2,
        Some(TilePicture::Kpi(..)) => 3,
    });
    let picture = Signal::derive(move || match read.data.get().as_deref() {
        Some(TilePicture::Chart(picture)) => Some(picture.clone()),
        _ => None,
    });
    let query = move || asked.with_untracked(|asked| asked.as_ref()?.as_ref().ok().map(|asked| asked.query.clone()));
    let pick = Callback::new(move |pick: Pick| {
        let chosen = query().and_then(|query| query.by.last().cloned()).zip(picture.get_untracked());
        if let Some((column, picture)) = chosen
            && picture.data.table.others(pick.row).is_none()
            && let Ok(cells) = picture.data.table.column(&column)
        {
            show_only(context.address, &context.filters.get_untracked().toggled(&column, cells.plain_text(pick.row)));
        }
    });
    let brush = Callback::new(move |(from, to): (f64, f64)| {
        let Some(query) = query() else { return };
        let column = match (query.distribution, query.over) {
            (Some(distribution), _) => distribution.field,
            (None, Some(Over { time: TimeAxis::Known, .. })) => "system_from".to_owned(),
            (None, Some(_)) => "valid_from".to_owned(),
            (None, None) => return,
        };
        let is_time = picture
            .with_untracked(|picture: &Option<Arc<Picture>>| picture.as_ref().is_some_and(|it| it.data.x_is_time()));
        let text = |end: f64| if is_time { time::iso(end as i64) } else { format!("{end:.6}") };
        show_only(context.address, &context.filters.get_untracked().within(&column, text(from), text(to)));
    });
    changing(move || match kind.get() {
        0 => ().whole(),
        1 => {
            let testid = chart_id.clone();
            view! { <ChartView testid table_testid=table_id.clone() picture pick=Some(pick) brush=Some(brush) /> }
                .whole()
        }
        2 => {
            let data = Signal::derive(move || match read.data.get().as_deref() {
                Some(TilePicture::Grid(data)) => Some(data.clone()),
                _ => None,
            });
            let label = Signal::derive(|| "Facts".to_owned());
            view! { <DataGrid label testid=table_id.clone() data /> }.whole()
        }
        _ => kpi_view(Signal::derive(move || read.data.get()), String::new(), &kpi_id),
    })
    .whole()
}
