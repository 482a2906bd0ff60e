//! The part of Kustomize that `deploy/kubernetes` uses, for machines without it. Generated names get no hash here. If
//! `kubectl` is installed, a test compares the two.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value, json};
use yaml_rust2::{Yaml, YamlLoader};

/// The result for a folder.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    pub(crate) objects: Vec<Value>,
    /// The names of generated `ConfigMap`s and Secrets.
    pub(crate) generated: Vec<String>,
    /// All files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// The folder of files that the README tells the user to make. Any text will do here.
const MADE: &str = "certificates/";

/// Renders a folder with a `kustomization.yaml`.
pub(crate) fn render(folder: &Path) -> anyhow::Result<Rendered> {
    let path = folder.join("kustomization.yaml");
    let file = documents(&path)?.into_iter().next().with_context(|| format!("{} is empty", path.display()))?;
    let mut rendered = Rendered { files: vec![path.canonicalize()?], ..Rendered::default() };
    for (key, value) in file.as_object().into_iter().flatten() {
        ensure!(KNOWN.contains(&key.as_str()), "{}: {key} is not known here: {value}", path.display());
    }
    for resource in list(&file["resources"]) {
        let resource = folder.join(resource.as_str().context("a resource is a path")?);
        if resource.is_dir() {
            let base = render(&resource)?;
            rendered.objects.extend(base.objects);
            rendered.generated.extend(base.generated);
            rendered.files.extend(base.files);
        } else {
            rendered.objects.extend(documents(&resource)?);
            rendered.files.push(resource.canonicalize()?);
        }
    }
    for (kind, generators) in [("ConfigMap", "configMapGenerator"), ("Secret", "secretGenerator")] {
        for generator in list(&file[generators]) {
            generate(folder, kind, generator, &mut rendered)?;
        }
    }
    for patch in list(&file["patches"]) {
        apply(folder, patch, &mut rendered)?;
    }
    for object in &mut rendered.objects {
        if let Some(namespace) = file["namespace"].as_str().filter(|_| object["kind"] != "Namespace") {
            object["metadata"]["namespace"] = json!(namespace);
        }
        for labels in list(&file["labels"]) {
            label(object, labels);
        }
        for image in list(&file["images"]) {
            containers_mut(object).for_each(|container| rename(container, image));
        }
    }
    Ok(rendered)
}

const KNOWN: [&str; 10] = [
    "apiVersion",
    "kind",
    "namespace",
    "labels",
    "resources",
    "configMapGenerator",
    "secretGenerator",
    "patches",
    "images",
    "generatorOptions",
];

/// The documents of a file.
pub(crate) fn documents(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    parse(&text).with_context(|| format!("parse {}", path.display()))
}

pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Value>> {
    YamlLoader::load_from_str(text)?.iter().map(value).collect()
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn value(yaml: &Yaml) -> anyhow::Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Boolean(it) => json!(it),
        Yaml::Integer(it) => json!(it),
        Yaml::Real(it) => json!(it.parse::<f64>()?),
        Yaml::String(it) => json!(it),
        Yaml::Array(items) => Value::Array(items.iter().map(value).collect::<Result<_, _>>()?),
        Yaml::Hash(items) => {
            let entry = |(key, item): (&Yaml, &Yaml)| {
                let key = key.as_str().with_context(|| format!("{key:?} is no text"))?;
                anyhow::Ok((key.to_owned(), value(item)?))
            };
            Value::Object(items.iter().map(entry).collect::<Result<Map<_, _>, _>>()?)
        }
        other => bail!("{other:?} is nothing that JSON has"),
    })
}

fn generate(folder: &Path, kind: &str, generator: &Value, rendered: &mut Rendered) -> anyhow::Result<()> {
    let name = generator["name"].as_str().context("a generator has a name")?;
    let mut data = BTreeMap::new();
    for literal in list(&generator["literals"]) {
        let (key, text) = literal.as_str().and_then(|it| it.split_once('=')).context("a literal is key=text")?;
        data.insert(key.to_owned(), text.to_owned());
    }
    for file in list(&generator["files"]) {
        let file = file.as_str().context("a file is a path")?;
        let base = || file.rsplit('/').next().unwrap_or(file);
        let (key, path) = file.split_once('=').unwrap_or((base(), file));
        let path = folder.join(path);
        let text = if file.contains(MADE) && !path.exists() {
            "made by hand".to_owned()
        } else {
            rendered.files.push(path.canonicalize().with_context(|| format!("{} is missing", path.display()))?);
            std::fs::read_to_string(&path)?
        };
        data.insert(key.to_owned(), text);
    }
    if generator["behavior"] == "merge" {
        let same = |object: &&mut Value| object["kind"] == kind && object["metadata"]["name"] == name;
        let object =
            rendered.objects.iter_mut().find(same).with_context(|| format!("{kind} {name} is not in the base"))?;
        for (key, text) in data {
            object["data"][key] = json!(text);
        }
    } else {
        rendered.generated.push(name.to_owned());
        let member = if kind == "Secret" { "stringData" } else { "data" };
        rendered.objects.push(json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, member: data}));
    }
    Ok(())
}

fn apply(folder: &Path, patch: &Value, rendered: &mut Rendered) -> anyhow::Result<()> {
    let patches = match (patch["path"].as_str(), patch["patch"].as_str()) {
        (Some(file), None) => {
            rendered.files.push(folder.join(file).canonicalize()?);
            documents(&folder.join(file))?
        }
        (None, Some(text)) => parse(text)?,
        _ => bail!("a patch has a path or a text: {patch}"),
    };
    let target = &patch["target"];
    let is_meant = |object: &&mut Value| {
        let is = |member: &Value, wanted: &Value| wanted.is_null() || member == wanted;
        is(&object["kind"], &target["kind"]) && is(&object["metadata"]["name"], &target["name"])
    };
    let mut meant = 0;
    for object in rendered.objects.iter_mut().filter(is_meant) {
        meant += 1;
        for patch in &patches {
            match patch {
                Value::Array(operations) => operations.iter().try_for_each(|operation| add(object, operation))?,
                patch => merge(&mut object["spec"], &patch["spec"]),
            }
        }
    }
    ensure!(meant > 0, "a patch is for nothing that there is: {target}");
    Ok(())
}

/// RFC 6902's `add` at the end of a list.
fn add(object: &mut Value, operation: &Value) -> anyhow::Result<()> {
    let list = operation["path"].as_str().and_then(|path| path.strip_suffix("/-")).filter(|_| operation["op"] == "add");
    let list = list.with_context(|| format!("{operation} is not known here"))?;
    let list = object.pointer_mut(list).and_then(Value::as_array_mut).with_context(|| format!("there is no {list}"))?;
    list.push(operation["value"].clone());
    Ok(())
}

/// RFC 7396. Kustomize would merge lists by the names in them, but no patch here needs that.
fn merge(object: &mut Value, patch: &Value) {
    match patch {
        Value::Object(members) => members.iter().for_each(|(key, patch)| merge(&mut object[key], patch)),
        patch => *object = patch.clone(),
    }
}

fn label(object: &mut Value, labels: &Value) {
    let pairs = |it: &mut Value| {
        labels["pairs"]
            .as_object()
            .into_iter()
            .flatten()
            .for_each(|(key, text)| it["metadata"]["labels"][key] = text.clone());
    };
    pairs(object);
    if labels["includeTemplates"] == true && object["spec"]["template"].is_object() {
        pairs(&mut object["spec"]["template"]);
    }
}

fn rename(container: &mut Value, image: &Value) {
    let (name, tag) = (image["newName"].as_str().or(image["name"].as_str()), image["newTag"].as_str());
    if container["image"] == image["name"]
        && let (Some(name), Some(tag)) = (name, tag)
    {
        container["image"] = json!(format!("{name}:{tag}"));
    }
}

fn containers_mut(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    object.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut).into_iter().flatten()
}
