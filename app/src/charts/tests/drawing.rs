//! What a backend of plotters is asked to draw.

use std::{cell::RefCell, convert::Infallible, rc::Rc};

use plotters_backend::{BackendColor, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};
use proptest::prelude::*;

use super::{bounds::any_data, *};

proptest! {
    #[test]
    fn plotters_draws_what_the_scene_says_and_nothing_outside(data in any_data(), scale in 1.0_f64..3.0) {
        let size = Size { width: 420.0, height: 240.0, scale };
        let Some(scene) = Scene::new(&data, &View::whole(size.width, size.height)) else { return Ok(()) };
        let record = drawn(&scene, size);
        let (right, bottom) = ((size.width * scale).round() as i32 + 1, (size.height * scale).round() as i32 + 1);
        for (x, y) in &record.places {
            prop_assert!((-1..=right).contains(x) && (-1..=bottom).contains(y), "{x},{y} on {right}x{bottom}");
        }
        for tick in &scene.layout.y_ticks {
            prop_assert!(record.texts.contains(&tick.label));
        }
    }
}

/// Remembers every coordinate and text it was asked to draw.
#[derive(Default)]
struct Record {
    places: Vec<(i32, i32)>,
    texts: Vec<String>,
}

struct Recorder(Rc<RefCell<Record>>, (u32, u32));

type Drawn<T> = Result<T, DrawingErrorKind<Infallible>>;

impl Recorder {
    fn note(&self, places: impl IntoIterator<Item = (i32, i32)>) {
        self.0.borrow_mut().places.extend(places);
    }
}

impl DrawingBackend for Recorder {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.1
    }

    fn ensure_prepared(&mut self) -> Drawn<()> {
        Ok(())
    }

    fn present(&mut self) -> Drawn<()> {
        Ok(())
    }

    fn draw_pixel(&mut self, point: (i32, i32), _: BackendColor) -> Drawn<()> {
        self.note([point]);
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, a: (i32, i32), b: (i32, i32), _: &S, _: bool) -> Drawn<()> {
        self.note([a, b]);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = (i32, i32)>>(&mut self, path: I, _: &S) -> Drawn<()> {
        self.note(path);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = (i32, i32)>>(&mut self, path: I, _: &S) -> Drawn<()> {
        self.note(path);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: (i32, i32), _: u32, _: &S, _: bool) -> Drawn<()> {
        self.note([center]);
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, _: &S, pos: (i32, i32)) -> Drawn<()> {
        self.note([pos]);
        self.0.borrow_mut().texts.push(text.to_owned());
        Ok(())
    }
}

fn drawn(scene: &Scene, size: Size) -> Record {
    let record = Rc::new(RefCell::new(Record::default()));
    let device = ((size.width * size.scale).round() as u32, (size.height * size.scale).round() as u32);
    let token = |name: &str| if name == "--font-family" { "Inter".to_owned() } else { format!("#{:06x}", 0x72b2) };
    let palette = Palette::read(token).expect("a whole palette");
    let mut renderer = PlottersRenderer::new(Recorder(record.clone(), device));
    renderer.draw(Some(scene), &palette, size).unwrap();
    record.take()
}
