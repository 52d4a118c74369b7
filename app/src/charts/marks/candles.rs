//! Candlesticks: a thin line from low to high, a box from open to close. What rose is hollow, what fell is filled, so that
//! colour does not stand alone.

use super::spanning;
use crate::charts::{
    Data, Layout,
    scene::{Ink, Layer, Target},
};

/// A candle for each row that has all four values.
pub(super) fn candles(data: &Data, layout: &Layout) -> (Vec<Layer>, Vec<Target>) {
    let half = (super::bars::width(data, layout) / 2.0).max(1.0);
    let frame = layout.frame;
    let (mut wicks, mut rising, mut falling) = ([vec![], vec![]], vec![], vec![]);
    let mut targets = Vec::new();
    for row in 0..data.table.rows() {
        let (x, _) = data.x_of(row);
        let [open, high, low, close] = [0, 1, 2, 3].map(|series| data.y_of(series, row).0);
        // Prices that are none, or that an axis of ratios has no place for, make no candle.
        if ![open, high, low, close].iter().all(|price| layout.y.share(*price).is_finite()) || !layout.shows_x(x) {
            continue;
        }
        let center = layout.x_pixel(x);
        let within = |x: f64| x.clamp(frame.left, frame.left + frame.width);
        let (left, right) = (within(center - half), within(center + half));
        let (top, bottom) = (layout.y_pixel(open.max(close)), layout.y_pixel(open.min(close)));
        let body = spanning((left, top), (right, bottom.max(top + 1.0).min(frame.top + frame.height)));
        let rose = close >= open;
        if rose {
            rising.push(body)
        } else {
            falling.push(body)
        }
        let wick = &mut wicks[usize::from(rose)];
        wick.push(((center, layout.y_pixel(high)), (center, top)));
        wick.push(((center, bottom), (center, layout.y_pixel(low))));
        let [_, body_top, _, body_height] = body;
        let (highest, lowest) = (layout.y_pixel(high.max(low)), layout.y_pixel(high.min(low)));
        let area = spanning((left, highest.min(body_top)), (right, lowest.max(body_top + body_height)));
        targets.push(Target { area, row, series: 0 });
    }
    let [fell, rose] = wicks;
    let layers = vec![
        Layer::Segments { ink: Ink::Up, width: 1.0, segments: rose },
        Layer::Segments { ink: Ink::Down, width: 1.0, segments: fell },
        Layer::Boxes { ink: Ink::Surface, strength: 1.0, boxes: rising.clone() },
        Layer::Outlines { ink: Ink::Up, boxes: rising },
        Layer::Boxes { ink: Ink::Down, strength: 1.0, boxes: falling },
    ];
    (layers, targets)
}
