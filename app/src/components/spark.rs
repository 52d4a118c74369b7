//! A line of a few dozen pixels, without axes: how a figure came about. Told in words beside it, so hidden from readers.

use leptos::prelude::*;

use super::whole::{Whole, WholeView};
use crate::charts::Data;

/// Places of the picture, which the stylesheet stretches.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;
/// Room for the line's own width.
const EDGE: f64 = 2.0;

/// The first series of a chart as a line; none of fewer than two points.
pub fn spark(data: &Data) -> Option<WholeView> {
    let path = path_of(data)?;
    Some(
        view! {
            <svg class="spark" viewBox="0 0 240 40" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                <path d=path />
            </svg>
        }
        .whole(),
    )
}

fn path_of(data: &Data) -> Option<String> {
    let mut spots: Vec<(f64, f64)> = Vec::new();
    data.visit(&mut |spot| {
        if spot.series == 0 && spot.y.is_finite() {
            spots.push((spot.x, spot.y));
        }
    });
    if spots.len() < 2 {
        return None;
    }
    let (first, last) = data.x_bounds()?;
    let (low, high) = spots.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, y)| (low.min(*y), high.max(*y)));
    let share = |value: f64, low: f64, high: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    let place = |(x, y): &(f64, f64)| {
        let right = EDGE + share(*x, first, last) * (WIDTH - 2.0 * EDGE);
        let down = EDGE + (1.0 - share(*y, low, high)) * (HEIGHT - 2.0 * EDGE);
        format!("{right:.1} {down:.1}")
    };
    Some(format!("M{}", spots.iter().map(place).collect::<Vec<_>>().join("L")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Float64Array;

    use super::*;
    use crate::{
        arrow::tests::table,
        charts::{Channel, ChartSpec, Mark},
    };

    #[test]
    fn a_line_goes_from_edge_to_edge_and_a_single_point_is_none() {
        let data = |values: Vec<f64>| {
            let x: Vec<f64> = (0..values.len()).map(|x| x as f64).collect();
            let rows = table(vec![("x", Arc::new(Float64Array::from(x))), ("y", Arc::new(Float64Array::from(values)))]);
            let spec = ChartSpec::new("S", Mark::Line, Channel::of("x"), vec![Channel::of("y")]);
            Data::new(Arc::new(spec), Arc::new(rows)).unwrap()
        };
        assert_eq!(path_of(&data(vec![1.0, 3.0])).as_deref(), Some("M2.0 38.0L238.0 2.0"));
        assert_eq!(path_of(&data(vec![1.0])), None);
    }
}
