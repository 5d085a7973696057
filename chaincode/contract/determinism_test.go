package contract

import (
	"go/ast"
	"go/types"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestDeterminism checks that endorsers cannot differ: the package uses no clock,
// randomness, goroutine or environment, and iterates over no map.
func TestDeterminism(t *testing.T) {
	loaded, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports | packages.NeedExportFile,
	}, ".")
	if err != nil || len(loaded) != 1 || len(loaded[0].Errors) > 0 || len(loaded[0].Syntax) < 10 {
		t.Fatalf("load the package: %v, %+v", err, loaded)
	}
	pkg := loaded[0]
	imports := []string{"context", "crypto/rand", "math/rand", "math/rand/v2", "net", "net/http", "os", "sync", "unsafe", "maps"}
	// Clocks and waits in any form.
	calls := []string{"time.Now", "time.Since", "time.Until", "time.After", "time.Tick", "time.NewTimer", "time.NewTicker", "time.Sleep"}
	for _, file := range pkg.Syntax {
		ast.Inspect(file, func(n ast.Node) bool {
			at := func() string { return pkg.Fset.Position(n.Pos()).String() }
			switch n := n.(type) {
			case *ast.ImportSpec:
				path, _ := strconv.Unquote(n.Path.Value)
				if slices.Contains(imports, path) || strings.Contains(path, "chartseal/abe") || strings.Contains(path, "chartseal/client") {
					t.Errorf("%s: imports %s", at(), path)
				}
			case *ast.GoStmt, *ast.SelectStmt:
				t.Errorf("%s: concurrency", at())
			case *ast.RangeStmt:
				if _, isMap := pkg.TypesInfo.TypeOf(n.X).Underlying().(*types.Map); isMap {
					t.Errorf("%s: iterates over a map", at())
				}
			case *ast.SelectorExpr:
				if f, isFunc := pkg.TypesInfo.Uses[n.Sel].(*types.Func); isFunc && slices.Contains(calls, f.FullName()) {
					t.Errorf("%s: calls %s", at(), f.FullName())
				}
			}
			return true
		})
	}
}
