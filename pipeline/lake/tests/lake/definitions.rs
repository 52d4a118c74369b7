//! Defining datasets, and finding them again.

use lake::{Defined, ErrorKind, Lake};

use crate::support::{definition, open};

#[tokio::test]
async fn the_same_definition_again_is_the_same_dataset_and_another_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let Defined::Created(dataset) = lake.define_dataset("prices", &definition()).await.unwrap() else {
        panic!("the dataset is new");
    };
    assert_eq!(lake.define_dataset("prices", &definition()).await.unwrap(), Defined::Same(dataset.clone()));
    let mut other = definition();
    other.valid_to = None;
    let error = lake.define_dataset("prices", &other).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DefinitionDiffers);
    assert_eq!(lake.datasets(), vec![dataset.clone()]);
    assert_eq!(lake.dataset_by_id(dataset.id), Some(dataset));
    assert_eq!(lake.dataset("nothing"), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_said_by_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let mut bad = definition();
    bad.key = vec!["nobody".to_owned()];
    let error = lake.define_dataset("Bad Name", &bad).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidDefinition);
    let pointers: Vec<&str> = error.problems().iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["", "/key/0"]);
    assert!(error.to_string().contains("there is no column 'nobody'"), "{error}");
    assert!(lake.datasets().is_empty());
    assert!(!folder.path().join("warehouse/Bad Name").exists());
}

#[tokio::test]
async fn definitions_and_identity_survive_reopening_and_two_lakes_differ() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    for name in ["b", "a", "c"] {
        lake.define_dataset(name, &definition()).await.unwrap();
    }
    let (id, before) = (lake.id(), lake.datasets());
    assert_eq!(before.iter().map(|dataset| dataset.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    drop(lake);
    let lake = open(folder.path()).await;
    assert_eq!((lake.id(), lake.datasets()), (id, before));
    let other = tempfile::tempdir().unwrap();
    assert_ne!(open(other.path()).await.id(), id);
}

#[tokio::test]
async fn many_at_once_defining_the_same_dataset_create_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let lake = open(folder.path()).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let lake = lake.clone();
            tokio::spawn(async move { lake.define_dataset("prices", &definition()).await.unwrap() })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += usize::from(matches!(task.await.unwrap(), Defined::Created(_)));
    }
    assert_eq!((created, lake.datasets().len()), (1, 1));
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    assert_eq!(Lake::open(&file.join("lake")).await.err().map(|e| e.kind()), Some(ErrorKind::Io));
}
