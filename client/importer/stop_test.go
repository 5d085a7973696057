package importer

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStopWhileReading: a walk that is told to stop reads no file to its end to find
// where its records are, which takes long for a large one, and says nothing of it.
func TestStopWhileReading(t *testing.T) {
	for name, content := range map[string]string{
		"record.json":  `{"resourceType": "Patient"}`,
		"bundle.json":  `{"resourceType": "Bundle", "entry": []}`,
		"blank.ndjson": strings.Repeat("\n", 1000),
	} {
		at := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(at)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		w := walker{split: true,
			item: func(i *item) error { t.Errorf("%s: it gave an item", name); return nil },
			skip: func(_ string, reason error, _ bool) error {
				t.Errorf("%s: it was skipped: %v", name, reason)
				return nil
			},
		}
		if err := w.file(ctx, file{path: at, name: name, info: info}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
