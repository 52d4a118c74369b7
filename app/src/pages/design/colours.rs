//! Colours as they stand on each other, with the contrast they need. A test measures it in a browser, in both themes.

use leptos::prelude::*;

use crate::{
    components::whole::{Whole, WholeView},
    format::number,
    tokens::{PAIRS, TEXT},
};

/// The table of pairs.
pub fn view() -> WholeView {
    let rows = PAIRS.into_iter().map(row);
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
                                <th scope="col" class="number">"Contrast, at least"</th>
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

fn row((front, back, least): (&'static str, &'static str, f64)) -> WholeView {
    view! {
        <tr>
            <th scope="row">{front}</th>
            <td>{back}</td>
            <td>{sample(front, back, least)}</td>
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
