package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/chartseal/chartseal/client/bench"
)

// importMemory is the bound on an import's memory.
const importMemory = 150 // MiB

// imports runs the import command over whole bundles and over split bundles.
func (r *run) imports(ctx context.Context) error {
	for _, what := range []struct {
		name  string
		n     int
		split bool
	}{{"whole", r.bundles, false}, {"split into resources", r.split, true}} {
		dir, n, err := r.bundleFiles(what.n)
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		var sum importResult
		var account bench.Account
		_, err = account.Do(ctx, r.Usage, func(ctx context.Context) (err error) {
			sum, err = r.importOnce(ctx, dir, what.split)
			return err
		})
		if err != nil {
			return fmt.Errorf("import of bundles, %s: %w", what.name, err)
		}
		name := fmt.Sprintf("import of %d bundles, %s", n, what.name)
		records := bench.Just(name+": records", "records/s", sum.RecordsPerSecond)
		records.Note = fmt.Sprintf("%d records, %d entries, %.1f MiB in %.1f s", sum.Sealed, sum.Entries, float64(sum.Bytes)/(1<<20), sum.Seconds)
		account.Used["client"] += sum.processor
		records.Processor = account.Each(sum.Sealed)
		peak := bench.Just(name+": memory", "MiB", float64(sum.memory)/(1<<20))
		peak.Require(peak.Ours < importMemory, fmt.Sprintf("below %d MiB", importMemory))
		r.report.Add(records, bench.Just(name+": entries", "entries/s", sum.EntriesPerSecond), peak)
	}
	return nil
}

// bundleFiles returns a directory with the first n bundles of the data.
func (r *run) bundleFiles(n int) (string, int, error) {
	dir, err := os.MkdirTemp("", "chartseal-bench-")
	if err != nil {
		return "", 0, err
	}
	var files []string
	if r.Data != "" {
		if files, err = filepath.Glob(filepath.Join(r.Data, "*.json")); err != nil {
			return "", 0, err
		}
	}
	slices.Sort(files)
	if len(files) == 0 {
		for i := range n {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.json", i)), []byte(madeUpBundle(i)), 0o600); err != nil {
				return "", 0, err
			}
		}
		return dir, n, nil
	}
	files = files[:min(n, len(files))]
	for i, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.json", i)), text, 0o600)
		}
		if err != nil {
			return "", 0, err
		}
	}
	return dir, len(files), nil
}

// madeUpBundle returns a bundle with a patient, and conditions and observations over
// several years.
func madeUpBundle(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","id":"made-up-%d","birthDate":"19%02d-01-01"}}`, n, n%100)
	for i := range 250 {
		kind, code := "Observation", fmt.Sprintf(`"system":"http://loinc.org","code":"%d-%d"`, 1000+i%97, i%10)
		if i%5 == 0 {
			kind, code = "Condition", fmt.Sprintf(`"system":"http://snomed.info/sct","code":"%d"`, 100000000+i*31)
		}
		fmt.Fprintf(&b, `,{"resource":{"resourceType":"%s","id":"%d","subject":{"reference":"Patient/made-up-%d"},"code":{"coding":[{%s}]},"issued":"20%02d-%02d-%02dT10:00:00Z","note":[{"text":"%s"}]}}`,
			kind, i, n, code, i%20, i%12+1, i%28+1, strings.Repeat("x", 1200))
	}
	return b.String() + "]}"
}

// importResult is the program's own report of an import, and the resources that the
// system counted for the program.
type importResult struct {
	Sealed, Failed, Entries                     int
	Bytes                                       int64
	Seconds, RecordsPerSecond, EntriesPerSecond float64

	memory    int64         // peak, in bytes
	processor time.Duration // processor time
}

// importOnce runs the program.
func (r *run) importOnce(ctx context.Context, dir string, split bool) (importResult, error) {
	var sum importResult
	args := []string{"--wallet", r.Wallet(), "--user", "doctor@HospitalA", "import", dir, "--policy", policy, "--scope", scope, "--json"}
	if split {
		args = append(args, "--split")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(r.Bin, "chartseal"), args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return sum, fmt.Errorf("%w: %s", err, stderr.String())
	}
	if err := json.Unmarshal([]byte(stdout.String()), &sum); err != nil {
		return sum, err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return sum, errors.New("this system does not tell how much memory a program took")
	}
	r.entries += sum.Entries
	sum.memory, sum.processor = usage.Maxrss<<10, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()
	return sum, nil
}
