//! The engine's functions in an order in which neighbours are alike, and without their names: what was made of one generic
//! lies together and compresses together, a twelfth better than as the linker left it. Nothing else about the engine changes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fs;
use std::path::Path;

use wasm_encoder::reencode::{Error, Reencode, utils::parse_core_module};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, FunctionSectionReader, KnownCustom, Name, Parser, Payload, TypeRef};

use crate::{likeness, shell::Result};

/// Orders a file in place.
pub fn order(path: &Path) -> Result {
    let wrong = |error: String| format!("cannot order the functions of {}: {error}", path.display());
    let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let ordered = ordered(&bytes).map_err(wrong)?;
    fs::write(path, ordered).map_err(|error| wrong(error.to_string()))
}

fn ordered(bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let mut order = Order::by_likeness(bytes).map_err(|error| error.to_string())?;
    let mut module = Module::new();
    parse_core_module(&mut order, &mut module, Parser::new(0), bytes).map_err(|error| error.to_string())?;
    Ok(module.finish())
}

/// Where functions go. Imported ones stay where they are.
struct Order {
    imported: u32,
    /// Old places among the functions defined here, in the new order.
    from: Vec<usize>,
    /// The new place of each.
    to: Vec<u32>,
}

impl Order {
    fn by_likeness(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut imported = 0;
        let mut bodies: Vec<&[u8]> = Vec::new();
        let mut names: HashMap<u32, &str> = HashMap::new();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        imported += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                    }
                }
                Payload::CodeSectionEntry(body) => bodies.push(body.as_bytes()),
                Payload::CustomSection(section) => {
                    let KnownCustom::Name(section) = section.as_known() else { continue };
                    for part in section {
                        let Name::Function(functions) = part? else { continue };
                        for naming in functions {
                            let naming = naming?;
                            names.insert(naming.index, naming.name);
                        }
                    }
                }
                _ => {}
            }
        }
        let mut by_name: Vec<usize> = (0..bodies.len()).collect();
        by_name.sort_by_key(|&at| {
            let name = names.get(&(imported + at as u32)).copied().unwrap_or_default();
            // Without the number that tells apart what was made of one generic.
            (name.rsplit_once("::h").map_or(name, |(name, _)| name), bodies[at].len())
        });
        let from = likeness::chain(&bodies, &by_name);
        let mut to = vec![0; bodies.len()];
        for (new, &old) in from.iter().enumerate() {
            to[old] = new as u32;
        }
        Ok(Self { imported, from, to })
    }
}

impl Reencode for Order {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> std::result::Result<u32, Error> {
        Ok(match index.checked_sub(self.imported) {
            Some(defined) => self.imported + self.to[defined as usize],
            None => index,
        })
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: FunctionSectionReader<'_>,
    ) -> std::result::Result<(), Error> {
        let types = section.into_iter().collect::<wasmparser::Result<Vec<u32>>>()?;
        for old in self.from.clone() {
            functions.function(self.type_index(types[old])?);
        }
        Ok(())
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: CodeSectionReader<'_>,
    ) -> std::result::Result<(), Error> {
        let bodies = section.into_iter().collect::<wasmparser::Result<Vec<_>>>()?;
        for old in self.from.clone() {
            self.parse_function_body(code, bodies[old].clone())?;
        }
        Ok(())
    }

    /// Names, producers and features are for tools.
    fn parse_custom_section(
        &mut self,
        _: &mut Module,
        _: wasmparser::CustomSectionReader<'_>,
    ) -> std::result::Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{
        EntityType, ExportKind, ExportSection, Function, ImportSection, NameMap, NameSection, TypeSection, ValType,
    };

    /// b calls a, an import stands before both, and the export of b is still b.
    #[test]
    fn calls_and_exports_follow() {
        let mut module = Module::new();
        let mut types = TypeSection::new();
        types.ty().function([], [ValType::I32]);
        module.section(&types);
        let mut imports = ImportSection::new();
        imports.import("m", "f", EntityType::Function(0));
        module.section(&imports);
        let mut functions = FunctionSection::new();
        functions.function(0).function(0);
        module.section(&functions);
        let mut exports = ExportSection::new();
        exports.export("b", ExportKind::Func, 1);
        module.section(&exports);
        let mut code = CodeSection::new();
        let (mut calling, mut called) = (Function::new([]), Function::new([]));
        calling.instructions().call(2).end();
        called.instructions().i32_const(7).end();
        code.function(&calling).function(&called);
        module.section(&code);
        let mut names = NameSection::new();
        let mut map = NameMap::new();
        map.append(1, "b");
        map.append(2, "a");
        names.functions(&map);
        module.section(&names);

        let out = ordered(&module.finish()).unwrap();
        let mut calls = Vec::new();
        for payload in Parser::new(0).parse_all(&out) {
            match payload.unwrap() {
                Payload::ExportSection(section) => {
                    let exports: Vec<u32> = section.into_iter().map(|export| export.unwrap().index).collect();
                    assert_eq!(exports, [2]);
                }
                Payload::CodeSectionEntry(body) => {
                    let first = body.get_operators_reader().unwrap().into_iter().next().unwrap().unwrap();
                    calls.push(format!("{first:?}"));
                }
                Payload::CustomSection(_) => panic!("names are left"),
                _ => {}
            }
        }
        assert_eq!(calls, ["I32Const { value: 7 }", "Call { function_index: 1 }"]);
    }
}
