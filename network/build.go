package network

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// serverBinaries holds the directories of each upstream's server binaries.
type serverBinaries struct {
	Fabric   string `json:"fabric"`   // peer, orderer, configtxgen, and the sample configuration
	FabricCA string `json:"fabricCA"` // fabric-ca-server
	Kubo     string `json:"kubo"`     // ipfs
}

// An upstream is a project whose server programs are built from their own module,
// network/servers/<name>, whose tools.go lists the programs.
type upstream struct {
	name    string
	module  string
	samples []string // configuration files of the module, on which ours are based
	needsC  bool

	reports time.Duration // how often a build reports; zero is every 5 s
}

var (
	fabric   = upstream{name: "fabric", module: "github.com/hyperledger/fabric", samples: []string{"sampleconfig/core.yaml", "sampleconfig/orderer.yaml"}}
	fabricCA = upstream{name: "fabric-ca", module: "github.com/hyperledger/fabric-ca", needsC: true} // sqlite
	kubo     = upstream{name: "kubo", module: "github.com/ipfs/kubo"}
)

// Build makes the server binaries, unless the cache has them. The cache is
// $CHARTSEAL_CACHE, or chartseal in the user's cache directory. The name of a build there
// has the module's version, the Go version and a digest of go.mod, go.sum, tools.go and
// patches.yaml.
// Progress gets lines of text; nil discards them.
func Build(ctx context.Context, progress io.Writer) error {
	_, err := buildServers(ctx, progress)
	return err
}

func buildServers(ctx context.Context, progress io.Writer) (s serverBinaries, err error) {
	root, err := sourceRoot()
	if err != nil {
		return s, err
	}
	for _, b := range []struct {
		upstream
		dir *string
	}{{fabric, &s.Fabric}, {fabricCA, &s.FabricCA}, {kubo, &s.Kubo}} {
		// One after the other: each build uses every core.
		if *b.dir, err = b.build(ctx, filepath.Join(root, "network", "servers", b.name), talk(progress)); err != nil {
			return s, err
		}
	}
	return s, nil
}

// cacheDirectory holds server binaries and claims on ports.
func cacheDirectory() (string, error) {
	if dir := os.Getenv("CHARTSEAL_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory: %w (set CHARTSEAL_CACHE)", err)
	}
	return filepath.Join(dir, "chartseal"), nil
}

// sourceRoot finds the repository, above the working directory or above the running
// program.
func sourceRoot() (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	for _, dir := range starts {
		for {
			if _, err := os.Stat(filepath.Join(dir, "network", "servers", "fabric", "go.mod")); err == nil {
				return dir, nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return "", fmt.Errorf("find Chartseal's source: network/servers is not above %s: run this inside the repository", strings.Join(starts, " or "))
}

func (u upstream) build(ctx context.Context, source string, say func(string, ...any)) (string, error) {
	cache, err := cacheDirectory()
	if err != nil {
		return "", err
	}
	key, version, err := u.key(ctx, source)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "servers", key)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if u.needsC {
		if err := needTool("gcc", "gcc libc6-dev"); err != nil {
			return "", fmt.Errorf("build %s: %w", u.name, err)
		}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w", u.name, err)
	}
	lockName := filepath.Join(cache, "servers", u.name+".lock")
	lock, err := lockFile(lockName, false)
	if errors.Is(err, errLocked) {
		say("waiting for another build of %s", u.name)
		lock, err = awaitLock(ctx, lockName)
	}
	if err != nil {
		return "", fmt.Errorf("build %s: %w", u.name, err)
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil // the other build made it
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".building-")
	if err != nil {
		return "", fmt.Errorf("build %s: %w", u.name, err)
	}
	defer os.RemoveAll(temporary)
	if err := u.compile(ctx, source, version, temporary, say); err != nil {
		return "", fmt.Errorf("build %s %s: %w", u.name, version, err)
	}
	if err := os.Chmod(temporary, 0o755); err != nil {
		return "", err
	}
	return dir, os.Rename(temporary, dir)
}

// key names a build, and gives the upstream's version.
func (u upstream) key(ctx context.Context, source string) (key, version string, err error) {
	if err := needTool("go", "golang-go, or https://go.dev/dl for a newer one"); err != nil {
		return "", "", err
	}
	digest := sha256.New()
	for _, name := range []string{"go.mod", "go.sum", "tools.go", patchesFile} {
		data, err := os.ReadFile(filepath.Join(source, name))
		if errors.Is(err, fs.ErrNotExist) && name == patchesFile {
			continue
		}
		if err != nil {
			return "", "", err
		}
		if name == "go.mod" {
			m := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(u.module) + ` (v\S+)`).FindSubmatch(data)
			if m == nil {
				return "", "", fmt.Errorf("%s/go.mod does not require %s", source, u.module)
			}
			version = string(m[1])
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(data), data)
	}
	compiler, err := u.goCommand(ctx, source, "env", "GOVERSION").Output()
	if err != nil {
		return "", "", fmt.Errorf("go env GOVERSION in %s: %w", source, commandError(err))
	}
	return fmt.Sprintf("%s-%s-%s-%s", u.name, version, strings.TrimSpace(string(compiler)), hex.EncodeToString(digest.Sum(nil))[:12]), version, nil
}

func (u upstream) goCommand(ctx context.Context, source string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if u.needsC {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	return cmd
}

// compile builds the programs that tools.go imports into dir, and copies the sample
// configuration there.
func (u upstream) compile(ctx context.Context, source, version, dir string, say func(string, ...any)) error {
	tools, err := parser.ParseFile(token.NewFileSet(), filepath.Join(source, "tools.go"), nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	var programs []string
	for _, i := range tools.Imports {
		programs = append(programs, strings.Trim(i.Path.Value, `"`))
	}
	say("building %s %s (%d programs); this happens once and takes a minute or two", u.name, version, len(programs))

	started := time.Now()
	copies, err := os.MkdirTemp("", "chartseal-patched-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(copies)
	args := []string{"build", "-mod=readonly", "-v", "-o", dir + "/"}
	switch _, modfile, err := u.patched(ctx, source, copies); {
	case err != nil:
		return err
	case modfile != "":
		args = append(args, "-modfile", modfile)
	}
	cmd := u.goCommand(ctx, source, append(args, programs...)...)
	// A cancelled build also stops its compilers: they hold its stderr, and some take a
	// minute.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var compiled atomic.Int64
	stopReports := u.report(ctx, func() {
		say("building %s: %d packages compiled, %d s", u.name, compiled.Load(), int(time.Since(started).Seconds()))
	})
	defer stopReports()
	// With -v the go command names each package on a line of its own. Any other line is
	// part of an error.
	var complaints []string
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := lines.Text()
		if compiled.Add(1); strings.ContainsAny(line, " \t#") {
			complaints = append(complaints, line)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, strings.Join(complaints, "\n"))
	}
	stopReports()
	say("built %s in %d s", u.name, int(time.Since(started).Seconds()))
	return u.copySamples(ctx, source, dir)
}

// report calls say from time to time until the function that it returns is called, which
// waits for the last report to end.
func (u upstream) report(ctx context.Context, say func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var reporter sync.WaitGroup
	reporter.Go(func() {
		ticks := time.NewTicker(cmp.Or(u.reports, 5*time.Second))
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				say()
			}
		}
	})
	return func() {
		cancel()
		reporter.Wait()
	}
}

func (u upstream) copySamples(ctx context.Context, source, dir string) error {
	if len(u.samples) == 0 {
		return nil
	}
	out, err := u.goCommand(ctx, source, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", u.module).Output()
	if err != nil {
		return fmt.Errorf("go list -m: %w", commandError(err))
	}
	for _, sample := range u.samples {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), sample))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(sample)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// buildPrograms compiles Chartseal's own programs for tests. For chartnet, make has built
// them already.
func buildPrograms(ctx context.Context, dir string, names []string) error {
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	args := []string{"build", "-o", dir + "/"}
	for _, name := range names {
		sources, err := filepath.Glob(filepath.Join(root, "*", "cmd", name))
		if err != nil || len(sources) != 1 {
			return fmt.Errorf("find the source of %s: %v, %w", name, sources, err)
		}
		args = append(args, sources[0])
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build Chartseal's programs: %w\n%s", err, out)
	}
	return nil
}

func needTool(name, debianPackage string) error {
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("the tool %s is missing: install it (Debian package %s)", name, debianPackage)
	}
	return nil
}

// commandError adds a command's stderr to its exit status.
func commandError(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return err
}

// talk makes a function that prints lines to w, or nowhere.
func talk(w io.Writer) func(string, ...any) {
	if w == nil {
		w = io.Discard
	}
	return func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
}
