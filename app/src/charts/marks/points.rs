//! Scattered dots. More of them than can be told apart share a pixel, and are drawn once.

use std::collections::HashSet;

use super::ink_of;
use crate::charts::{
    Data, Layout, View,
    scene::{Layer, Place, Target},
};

const RADIUS: f64 = 3.0;
/// With more dots than that they are drawn small.
const MANY: usize = 2_000;
const SMALL_RADIUS: f64 = 1.5;
/// The pointer meets a dot within this distance.
const REACH: f64 = 6.0;

/// A dot for each row.
pub(super) fn dots(data: &Data, view: &View, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let mut places: Vec<Vec<Place>> = data.series.iter().map(|_| Vec::new()).collect();
    let mut taken: HashSet<u64> = HashSet::new();
    let mut targets = Vec::new();
    data.visit(&mut |spot| {
        let drawn = view.shows(spot.series) && spot.y.is_finite() && layout.shows_x(spot.x);
        if !drawn || !layout.y.share(spot.y).is_finite() {
            return;
        }
        let place = (layout.x_pixel(spot.x), layout.y_pixel(spot.y));
        let pixel = (place.0.round() as u64) << 16 | place.1.round() as u64;
        if taken.insert((spot.series as u64) << 32 | pixel) {
            places[spot.series].push(place);
            let area = [place.0 - REACH, place.1 - REACH, 2.0 * REACH, 2.0 * REACH];
            targets.push(Target { area, row: spot.row, series: spot.series });
        }
    });
    let radius = if targets.len() > MANY { SMALL_RADIUS } else { RADIUS };
    let layer = |(series, places): (usize, Vec<Place>)| Layer::Dots { ink: ink_of(data, series), radius, places };
    (places.into_iter().enumerate().map(layer).collect(), targets)
}
