package settings

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestPrecedence gives every source a value and takes them away one by one.
func TestPrecedence(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".config", "chartseal")
	file := filepath.Join(dir, "config.yaml")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("user: filed@A\nwallet: filed\nscope: filed\nindex: none\ntimeout: 3s\nindex-wait: 5m\nbackground: no\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": home, "CHARTSEAL_USER": "environed@A", "CHARTSEAL_WALLET": "environed", "CHARTSEAL_SCOPE": "environed", "CHARTSEAL_INDEX": "now", "CHARTSEAL_TIMEOUT": "2s", "CHARTSEAL_INDEX_WAIT": "4m", "CHARTSEAL_BACKGROUND": "yes"}
	around := Environment{Getenv: func(k string) string { return env[k] }}
	check := func(f Flags, want Settings) {
		t.Helper()
		if got, err := Resolve(f, around); err != nil || got != want {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	flags := Flags{User: "flagged@A", Wallet: "flagged", TimeoutGiven: true}
	check(flags, Settings{"flagged@A", "flagged", "environed", "now", 0, "--user", "--wallet", 4 * time.Minute, false})
	check(Flags{}, Settings{"environed@A", "environed", "environed", "now", 2 * time.Second, "CHARTSEAL_USER", "CHARTSEAL_WALLET", 4 * time.Minute, false})
	env = map[string]string{"HOME": home}
	check(Flags{}, Settings{"filed@A", filepath.Join(dir, "filed"), "filed", "none", 3 * time.Second, "user in " + file, "wallet in " + file, 5 * time.Minute, true})
	env = map[string]string{"HOME": "/nobody"}
	check(Flags{}, Settings{"", "/nobody/.config/chartseal/wallet", DefaultScope, "", 0, "the default", "the default", 0, false})
	env = nil
	check(Flags{}, Settings{"", "", DefaultScope, "", 0, "the default", "the default", 0, false})
	around.ExeDir = dir
	if err := os.Rename(file, filepath.Join(dir, "chartseal.yaml")); err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(dir, "chartseal.yaml")
	check(Flags{}, Settings{"filed@A", filepath.Join(dir, "filed"), "filed", "none", 3 * time.Second, "user in " + beside, "wallet in " + beside, 5 * time.Minute, true})
}

func TestMistakes(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("walet: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		flags Flags
		env   map[string]string
		want  string
	}{
		"empty --config":   {Flags{ConfigGiven: true}, nil, "--config needs a file name"},
		"odd duration":     {Flags{}, map[string]string{"CHARTSEAL_TIMEOUT": "soon"}, `CHARTSEAL_TIMEOUT: "soon" is not a duration such as 30s or 5m`},
		"no wait":          {Flags{}, map[string]string{"CHARTSEAL_INDEX_WAIT": "0"}, `CHARTSEAL_INDEX_WAIT: "0" is not a duration such as 30s or 5m`},
		"odd background":   {Flags{}, map[string]string{"CHARTSEAL_BACKGROUND": "maybe"}, `CHARTSEAL_BACKGROUND: "maybe" is not yes or no`},
		"negative timeout": {Flags{TimeoutGiven: true, Timeout: -1}, nil, "the timeout must not be negative"},
		"unknown field":    {Flags{Config: broken}, nil, "configuration " + broken + ": line 1: field walet not found"},
	} {
		_, err := Resolve(c.flags, Environment{Getenv: func(k string) string { return c.env[k] }})
		var mistake *Error
		if !errors.As(err, &mistake) || mistake.Message != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Resolve(Flags{Config: broken + ".missing"}, Environment{Getenv: func(string) string { return "" }}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a configuration that is not there: %v", err)
	}
}
