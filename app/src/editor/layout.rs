//! Where tiles lie on the flowing grid: where one goes that is dragged, and how large one becomes that is pulled at.

use crate::dashboards::{GRID_COLUMNS, ROWS};

/// Pixels of a row of a picture's height.
const ROW_PX: f64 = 40.0;

/// Where a tile lies, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Which way a tile is moved by keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// One place back.
    Left,
    /// One place on.
    Right,
    /// To the row above.
    Up,
    /// To the row below.
    Down,
}

/// A tile while it is pulled at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resize {
    /// Its columns and rows before.
    pub size: (u8, u8),
    /// How many pixels a column takes, with the gap beside it.
    pub column_px: f64,
}

impl Rect {
    fn middle(&self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Whether a point lies in it.
    pub fn holds(&self, (x, y): (f64, f64)) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }
}

/// The place that a tile takes which is let go at a point; `tiles` are all, in order, as they lie while it is dragged. Over a
/// tile it goes before or behind it, whichever half the point is in; beside all of them to the nearest.
pub fn drop_place(tiles: &[Rect], dragged: usize, point: (f64, f64)) -> usize {
    let over = tiles.iter().position(|tile| tile.holds(point));
    let distance = |tile: &Rect| {
        let dx = (tile.x - point.0).max(point.0 - tile.x - tile.width).max(0.0);
        let dy = (tile.y - point.1).max(point.1 - tile.y - tile.height).max(0.0);
        // What lies in the same row is nearer than what is above or below.
        dx * dx + 4.0 * dy * dy
    };
    let near = || {
        let all = tiles.iter().enumerate();
        all.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1))).map(|(place, _)| place)
    };
    let Some(target) = over.or_else(near) else { return dragged };
    if target == dragged {
        return dragged;
    }
    let after = point.0 > tiles[target].middle().0;
    // Of those before it, its own place is free.
    match (after, target > dragged) {
        (true, true) | (false, false) => target,
        (true, false) => target + 1,
        (false, true) => target - 1,
    }
}

/// The place that a tile goes to by keyboard; its own where there is none that way.
pub fn place_in_direction(tiles: &[Rect], at: usize, direction: Direction) -> usize {
    let last = tiles.len().saturating_sub(1);
    match direction {
        Direction::Left => at.saturating_sub(1),
        Direction::Right => (at + 1).min(last),
        Direction::Up | Direction::Down => {
            let Some(own) = tiles.get(at) else { return at };
            let up = direction == Direction::Up;
            let beyond = |tile: &&Rect| if up { tile.y + 1.0 < own.y } else { tile.y > own.y + 1.0 };
            let rows = tiles.iter().filter(beyond).map(|tile| tile.y);
            let row = if up { rows.max_by(f64::total_cmp) } else { rows.min_by(f64::total_cmp) };
            let Some(row) = row else { return if up { 0 } else { last } };
            let in_row = tiles.iter().enumerate().filter(|(_, tile)| (tile.y - row).abs() <= 1.0);
            let near = in_row.min_by(|a, b| (a.1.x - own.x).abs().total_cmp(&(b.1.x - own.x).abs()));
            near.map_or(at, |(place, _)| place)
        }
    }
}

/// Columns and rows of a tile whose corner was pulled by so many pixels.
pub fn resized(resize: Resize, (dx, dy): (f64, f64)) -> (u8, u8) {
    let steps = |pixels: f64, step: f64| if step > 0.0 { (pixels / step).round() } else { 0.0 };
    let width = (f64::from(resize.size.0) + steps(dx, resize.column_px)).clamp(1.0, f64::from(GRID_COLUMNS));
    let rows = (f64::from(resize.size.1) + steps(dy, ROW_PX)).clamp(f64::from(ROWS.0), f64::from(ROWS.1));
    (width as u8, rows as u8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two in the first row, one over the whole second, two in the third.
    fn tiles() -> Vec<Rect> {
        let rect = |x: f64, y: f64, width: f64| Rect { x, y, width, height: 100.0 };
        vec![
            rect(0.0, 0.0, 300.0),
            rect(310.0, 0.0, 290.0),
            rect(0.0, 110.0, 600.0),
            rect(0.0, 220.0, 300.0),
            rect(310.0, 220.0, 290.0),
        ]
    }

    #[test]
    fn a_dragged_tile_goes_before_or_behind_the_one_it_is_over() {
        let place = |dragged, x, y| drop_place(&tiles(), dragged, (x, y));
        assert_eq!(place(0, 590.0, 50.0), 1, "behind the second");
        assert_eq!(place(0, 320.0, 50.0), 0, "before the second, where it is");
        assert_eq!(place(4, 10.0, 50.0), 0, "before the first");
        assert_eq!(place(4, 590.0, 50.0), 2, "behind the second");
        assert_eq!(place(1, 10.0, 250.0), 2, "before the fourth, one place less without itself");
        assert_eq!(place(2, 300.0, 150.0), 2, "over itself");
        assert_eq!(place(0, 900.0, 270.0), 4, "beside the last row");
        assert_eq!(drop_place(&[], 0, (0.0, 0.0)), 0);
    }

    #[test]
    fn keys_move_by_places_and_rows() {
        let place = |at, direction| place_in_direction(&tiles(), at, direction);
        assert_eq!((place(0, Direction::Left), place(0, Direction::Right)), (0, 1));
        assert_eq!((place(1, Direction::Down), place(2, Direction::Down)), (2, 3));
        assert_eq!((place(4, Direction::Up), place(2, Direction::Up), place(1, Direction::Up)), (2, 0, 0));
        assert_eq!((place(3, Direction::Down), place(4, Direction::Right)), (4, 4));
    }

    #[test]
    fn sizes_snap_to_columns_and_rows() {
        let resize = Resize { size: (6, 5), column_px: 100.0 };
        assert_eq!(resized(resize, (149.0, -39.0)), (7, 4));
        assert_eq!(resized(resize, (-9e9, 9e9)), (1, 16));
        assert_eq!(resized(Resize { column_px: 0.0, ..resize }, (50.0, 0.0)), (6, 5));
    }

    proptest! {
        #[test]
        fn a_place_is_always_one_of_those_there_are(
            rects in prop::collection::vec((0.0..900.0, 0.0..900.0, 1.0..600.0, 1.0..300.0), 1..9), dragged in 0_usize..9,
            point in (-100.0..1000.0, -100.0..1000.0),
        ) {
            let tiles: Vec<Rect> = rects.into_iter().map(|(x, y, width, height)| Rect { x, y, width, height }).collect();
            let dragged = dragged % tiles.len();
            prop_assert!(drop_place(&tiles, dragged, point) < tiles.len());
            for direction in [Direction::Left, Direction::Right, Direction::Up, Direction::Down] {
                prop_assert!(place_in_direction(&tiles, dragged, direction) < tiles.len());
            }
        }
    }
}
