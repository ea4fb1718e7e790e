//! One module: what it defines, what it imports, and every path in its code.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A path as it is written, a name each.
pub type Names = Vec<String>;

/// A module of a crate, in a file of its own or inline.
pub struct Module {
    pub file: PathBuf,
    pub parent: Option<usize>,
    pub children: HashMap<String, usize>,
    pub items: HashSet<String>,
    /// What a name means here that `use` brings in.
    pub imports: HashMap<String, Names>,
    pub globs: Vec<Names>,
    /// Paths in the code, and those of `use` that are not handed on.
    pub paths: Vec<Names>,
}

/// The modules below the root file of a crate; the root is the first.
pub fn modules(root: &Path) -> Vec<Module> {
    let mut all = Vec::new();
    file(root, None, root.parent().unwrap_or(root), &mut all);
    all
}

/// Reads `path`, whose own modules lie in `below`.
fn file(path: &Path, parent: Option<usize>, below: &Path, all: &mut Vec<Module>) -> usize {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    module(path, parent, &parsed.items, below, all)
}

fn module(
    path: &Path,
    parent: Option<usize>,
    items: &[Item],
    below: &Path,
    all: &mut Vec<Module>,
) -> usize {
    let own = all.len();
    all.push(Module {
        file: path.to_owned(),
        parent,
        children: HashMap::new(),
        items: HashSet::new(),
        imports: HashMap::new(),
        globs: Vec::new(),
        paths: Vec::new(),
    });
    for item in items {
        let Item::Mod(inner) = item else {
            continue;
        };
        if is_for_tests(&inner.attrs) {
            continue;
        }
        let name = inner.ident.to_string();
        let child = match &inner.content {
            Some((_, items)) => module(path, Some(own), items, &below.join(&name), all),
            None => {
                let flat = below.join(format!("{name}.rs"));
                let found = if flat.exists() {
                    flat
                } else {
                    below.join(&name).join("mod.rs")
                };
                file(&found, Some(own), &below.join(&name), all)
            }
        };
        all[own].children.insert(name, child);
    }
    let mut reader = Reader {
        module: &mut all[own],
    };
    for item in items {
        reader.visit_item(item);
    }
    own
}

/// Whether an item is there for tests alone.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

struct Reader<'a> {
    module: &'a mut Module,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(i) => (&i.attrs, Some(&i.ident)),
            Item::Enum(i) => (&i.attrs, Some(&i.ident)),
            Item::Fn(i) => (&i.attrs, Some(&i.sig.ident)),
            Item::Macro(i) => (&i.attrs, i.ident.as_ref()),
            Item::Static(i) => (&i.attrs, Some(&i.ident)),
            Item::Struct(i) => (&i.attrs, Some(&i.ident)),
            Item::Trait(i) => (&i.attrs, Some(&i.ident)),
            Item::Type(i) => (&i.attrs, Some(&i.ident)),
            Item::Union(i) => (&i.attrs, Some(&i.ident)),
            Item::Impl(i) => (&i.attrs, None),
            Item::Use(i) => (&i.attrs, None),
            // A module of its own.
            Item::Mod(_) => return,
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        self.module.items.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let handed_on = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, &mut Names::new(), handed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Names = path.segments.iter().map(|s| s.ident.to_string()).collect();
        // A lone name in small letters is a variable's, unless it is called; what `use` brings in counts there.
        let is_variable = |name: &String| name.starts_with(|c: char| c.is_lowercase());
        if names.len() > 1 || !names.iter().any(is_variable) {
            self.module.paths.push(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            let names = function.path.segments.iter().map(|s| s.ident.to_string());
            self.module.paths.push(names.collect());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

impl Reader<'_> {
    fn import(&mut self, tree: &UseTree, before: &mut Names, handed_on: bool) {
        let (name, last) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, handed_on);
                before.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, handed_on);
                }
                return;
            }
            UseTree::Glob(_) => {
                self.module.globs.push(before.clone());
                return;
            }
            UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
            UseTree::Rename(name) => (name.rename.to_string(), name.ident.to_string()),
        };
        let mut path = before.clone();
        let name = match (last.as_str(), before.last()) {
            ("self", Some(module)) if name == "self" => module.clone(),
            _ => name,
        };
        if last != "self" {
            path.push(last);
        }
        if !handed_on {
            self.module.paths.push(path.clone());
        }
        self.module.imports.insert(name, path);
    }

    /// Paths in the arguments of a macro, which are only tokens: `a::b`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    colons = 0;
                    self.tokens(group.stream());
                }
                _ => {
                    self.end(&mut path);
                    colons = 0;
                }
            }
        }
        self.end(&mut path);
    }

    /// Takes a path out of tokens; a lone name may be a variable's.
    fn end(&mut self, path: &mut Names) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.module.paths.push(path);
        }
    }
}
