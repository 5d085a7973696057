package e2e

import (
	"bytes"
	"testing"

	"github.com/chartseal/chartseal/client/internal/demo"
)

// TestDemo runs what 'make demo' runs, on the network that is up.
func TestDemo(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Options{Bin: consortium.Programs(), Dir: consortium.Directory(), Work: t.TempDir(), Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	level(t) // HospitalA was stopped
}
