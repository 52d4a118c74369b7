//! Colours as they stand on each other, with the contrast that this browser finds in the theme in force.

use leptos::prelude::*;

use crate::{
    browser,
    charts::Rgb,
    components::{
        theme::Theme,
        whole::{Whole, WholeView},
    },
    format::number,
    tokens::{PAIRS, TEXT, contrast},
};

/// The table of pairs.
pub fn view() -> WholeView {
    let theme = expect_context::<Theme>();
    // Only a browser has colours.
    let measured = RwSignal::new(Vec::new());
    Effect::new(move |_| {
        theme.version.track();
        measured.set(PAIRS.map(|(front, back, _)| contrast_of(front, back)).to_vec());
    });
    let rows = PAIRS.into_iter().enumerate().map(|(index, pair)| row(index, pair, measured));
    view! {
        <section class="tile">
            <div class="tile-body design-tile">
                <div class="table-box" role="region" aria-label="Table of colours" tabindex="0">
                    <table data-testid="design-colours">
                        <caption class="visually-hidden">"Colours that stand on each other"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Colour"</th>
                                <th scope="col">"On"</th>
                                <th scope="col">"Sample"</th>
                                <th scope="col" class="number">"Contrast"</th>
                                <th scope="col" class="number">"At least"</th>
                            </tr>
                        </thead>
                        <tbody>{rows.collect::<Vec<_>>()}</tbody>
                    </table>
                </div>
            </div>
        </section>
    }
    .whole()
}

fn contrast_of(front: &str, back: &str) -> Option<f64> {
    let colour = |name: &str| Rgb::parse(&browser::token(name));
    Some(contrast(colour(front)?, colour(back)?))
}

type Measured = RwSignal<Vec<Option<f64>>>;

fn row(index: usize, (front, back, least): (&'static str, &'static str, f64), measured: Measured) -> WholeView {
    let found = move || measured.with(|measured| measured.get(index).copied().flatten());
    let text = move || found().map_or_else(|| "–".to_owned(), |found| number::fixed_text(found, 2));
    view! {
        <tr>
            <th scope="row">{front}</th>
            <td>{back}</td>
            <td>{sample(front, back, least)}</td>
            <td class="number">{text}</td>
            <td class="number">{number::fixed_text(least, 1)}</td>
        </tr>
    }
    .whole()
}

/// Letters, or a mark where the colour is not for letters. A drawing, because pages must not carry styles of their own.
fn sample(front: &str, back: &str, least: f64) -> WholeView {
    let (front, back) = (format!("var({front})"), format!("var({back})"));
    let inside = if least >= TEXT {
        view! {
            <text x="40" y="17" text-anchor="middle" font-size="13" fill=front>
                "1,204.31"
            </text>
        }
        .whole()
    } else {
        view! { <rect x="10" y="9" width="60" height="6" rx="3" fill=front /> }.whole()
    };
    view! {
        <svg class="design-swatch" viewBox="0 0 80 24" aria-hidden="true" focusable="false">
            <rect x="0" y="0" width="80" height="24" rx="4" fill=back />
            {inside}
        </svg>
    }
    .whole()
}
