// Command functions prints, as JSON, every function that Helm's templates may call, with its Go signature.
//
// Helm keeps its map to itself, so the linker is asked for it; text/template's own functions come from its source.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"text/template"
	_ "unsafe" // for go:linkname

	_ "helm.sh/helm/v4/pkg/engine"
)

//go:linkname helmFunctions helm.sh/helm/v4/pkg/engine.funcMap
func helmFunctions() template.FuncMap

type record struct {
	Helm string `json:"helm"`
	// Signature by name; text/template's own take reflected values, and have none here.
	Functions map[string]string `json:"functions"`
}

func builtins(found map[string]string) error {
	path := filepath.Join(runtime.GOROOT(), "src", "text", "template", "funcs.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	for _, declared := range file.Decls {
		function, ok := declared.(*ast.FuncDecl)
		if !ok || function.Name.Name != "builtins" {
			continue
		}
		ast.Inspect(function, func(node ast.Node) bool {
			if entry, ok := node.(*ast.KeyValueExpr); ok {
				name, err := strconv.Unquote(entry.Key.(*ast.BasicLit).Value)
				if err == nil {
					found[name] = ""
				}
			}
			return true
		})
	}
	return nil
}

func run() error {
	found := record{Functions: map[string]string{}}
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "helm.sh/helm/v4" {
			found.Helm = module.Version
		}
	}
	if err := builtins(found.Functions); err != nil {
		return err
	}
	for name, function := range helmFunctions() {
		found.Functions[name] = reflect.TypeOf(function).String()
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(found)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
