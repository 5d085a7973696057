package plugin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/chartseal/chartseal/client/envelope"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"age-plugin-chartseal": func() { os.Exit(Main()) }})
}

// TestAge runs the stories with the age tool of the age module that this module requires.
func TestAge(t *testing.T) {
	stories(t, buildAge(t))
}

// TestDebianAge runs the stories with an age of another version that is on the PATH, such
// as Debian's. Where CHARTSEAL_DEBIAN_AGE is 1 it must be there.
func TestDebianAge(t *testing.T) {
	path, err := exec.LookPath("age")
	if err == nil {
		err = differentVersion(t, path, filepath.Join(buildAge(t), "age"))
	}
	if err != nil && os.Getenv("CHARTSEAL_DEBIAN_AGE") == "1" {
		t.Fatalf("CHARTSEAL_DEBIAN_AGE is set, but there is no other age: %v", err)
	}
	if err != nil {
		t.Skipf("no other age on the PATH: %v", err)
	}
	dir := t.TempDir()
	must(t, os.Symlink(path, filepath.Join(dir, "age")))
	stories(t, dir)
}

func buildAge(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "filippo.io/age/cmd/age")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build age: %v\n%s", err, out)
	}
	return dir
}

func differentVersion(t *testing.T, a, b string) error {
	t.Helper()
	var versions []string
	for _, path := range []string{a, b} {
		out, err := exec.Command(path, "--version").Output()
		if err != nil {
			return err
		}
		versions = append(versions, strings.TrimPrefix(strings.TrimSpace(string(out)), "v"))
	}
	if versions[0] == versions[1] {
		return fmt.Errorf("%s is version %s too", a, versions[0])
	}
	t.Logf("%s is version %s", a, versions[0])
	return nil
}

// stories runs each story in its own world, with the age of dir first on the PATH:
//
//	$WALLET       a wallet whose peers do not answer; doctor@HospitalA has seen all public keys
//	$ONLY_AGE     a PATH with that age and no plugin
//	patient.txt   the patient's age identity, $PATIENT its recipient
//	abe.age       "from abe", sealed by package abe to HospitalA:role=doctor and HospitalC:role=nurse, apart
//	envelope.age  made by package envelope for doctors of HospitalB, and the patient; payload.age its payload, of "the record"
func stories(t *testing.T, dir string) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			w := newWorld(t)
			w.learn("doctor@HospitalA", slices.Collect(maps.Keys(w.published))...)
			env.Values["world"] = w
			patient, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", "")
			env.Setenv("WALLET", w.dir)
			env.Setenv("CHARTSEAL_WALLET", w.dir)
			env.Setenv("PATIENT", patient.Recipient().String())
			env.Setenv("ONLY_AGE", dir+":/usr/bin:/bin")
			env.Setenv("PATH", dir+string(filepath.ListSeparator)+env.Getenv("PATH"))
			return furnish(env.WorkDir, w, patient)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"abe-open": abeOpen, "age-to": ageTo},
	})
}

// furnish writes the files that a story begins with.
func furnish(dir string, w *world, patient *age.X25519Identity) error {
	var sealed bytes.Buffer
	out, err := age.Encrypt(&sealed, w.recipient("HospitalA:role=doctor"), w.recipient("HospitalC:role=nurse"))
	if err != nil {
		return err
	}
	io.WriteString(out, "from abe\n")
	if err := out.Close(); err != nil {
		return err
	}
	m := envelope.Metadata{
		Record: strings.Repeat("4f1a", 8), Version: 1, CID: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
		Key: bytes.Repeat([]byte{7}, envelope.KeySize), Salt: bytes.Repeat([]byte{9}, envelope.SaltSize),
		Name: "ECG\nAGE-SECRET-KEY-1 $(touch hacked).txt", MediaType: "text/plain", Author: "HospitalA/doctor",
		Sealed: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
	}
	sealer, err := envelope.NewSealer(strings.NewReader("the record\n"), m.Key, m.Salt)
	if err != nil {
		return err
	}
	payload, err := io.ReadAll(sealer)
	if err != nil {
		return err
	}
	digest, err := sealer.Digest()
	if err != nil {
		return err
	}
	m.Size, m.SHA256 = digest.Size, digest.SHA256[:]
	to, err := envelope.Recipients(patient.Recipient().String())
	if err != nil {
		return err
	}
	wrapped, err := m.Seal(append([]age.Recipient{w.recipient("HospitalB:role=doctor")}, to...)...)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"abe.age": sealed.Bytes(), "envelope.age": wrapped, "payload.age": payload, "patient.txt": []byte(patient.String() + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// abeOpen opens with package abe alone: abe-open USER FILE prints it, ! abe-open requires
// that USER cannot.
func abeOpen(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: abe-open USER FILE")
	}
	id, err := attributeIdentity(ts.Value("world").(*world).user(args[0]))
	ts.Check(err)
	r, err := age.Decrypt(strings.NewReader(ts.ReadFile(args[1])), id)
	if errors.Is(err, age.ErrIncorrectIdentity) && neg {
		return
	}
	ts.Check(err)
	if neg {
		ts.Fatalf("%s can open %s", args[0], args[1])
	}
	_, err = io.Copy(ts.Stdout(), r)
	ts.Check(err)
}

// ageTo is age with a recipient out of a file, as a shell would put it on the command
// line: age-to RECIPIENT OUT IN.
func ageTo(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: age-to RECIPIENT OUT IN")
	}
	ts.Check(ts.Exec("age", "-r", strings.TrimSpace(ts.ReadFile(args[0])), "-o", args[1], args[2]))
}
