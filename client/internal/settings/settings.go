// Package settings finds the acting user, their wallet and the other settings. Every
// program of this module looks in the same places, in the same order: flags, environment,
// configuration file, defaults.
//
// A configuration file that --config or CHARTSEAL_CONFIG names must exist. If neither
// names one, it is the first that exists of $XDG_CONFIG_HOME/chartseal/config.yaml (by
// default in ~/.config) and chartseal.yaml beside the executable.
package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/chartseal/chartseal/client/index"
)

// DefaultScope is the search domain that a new consortium has.
const DefaultScope = "consortium"

// Settings are the values that apply, from flags, environment, configuration file and
// defaults.
type Settings struct {
	User    string // NAME@ORG; "" if none is named
	Wallet  string // "" only if none is named and there is no home directory
	Scope   string // where to seal and search
	Index   index.Mode
	Timeout time.Duration

	UserFrom   string // where User comes from, for messages
	WalletFrom string

	// IndexWait is how long a batched record waits for others; zero means
	// outbox.DefaultAge.
	IndexWait time.Duration

	// Foreground keeps a command from leaving a process that writes what waits.
	Foreground bool
}

// Flags are the settings on the command line. A flag that is not given is empty.
type Flags struct {
	User, Wallet, Config string

	ConfigGiven  bool // tells an empty --config, a mistake, from none
	TimeoutGiven bool // tells zero, no limit, from no flag
	Timeout      time.Duration
}

// An Environment is the part of the process's surroundings that has settings.
type Environment struct {
	Getenv func(string) string
	ExeDir string // directory of the executable, "" if unknown
}

// An Error is a mistake in a setting.
type Error struct {
	Message string
	Hint    string // advice; may be empty
}

func (e *Error) Error() string { return e.Message }

// Resolve finds every setting. It fails with an [*Error], or because a file cannot be
// read.
func Resolve(f Flags, env Environment) (Settings, error) {
	path, file, err := env.config(f)
	if err != nil {
		return Settings{}, err
	}
	var s Settings
	s.User, s.UserFrom = env.pick(f.User, "user", "CHARTSEAL_USER", file.User, path, "")
	s.Wallet, s.WalletFrom = env.pick(f.Wallet, "wallet", "CHARTSEAL_WALLET", file.Wallet, path, env.defaultWallet())
	s.Scope, _ = env.pick("", "scope", "CHARTSEAL_SCOPE", file.Scope, path, DefaultScope)

	text, from := env.pick("", "index", "CHARTSEAL_INDEX", file.Index, path, "")
	if s.Index, err = index.ParseMode(text); err != nil {
		return Settings{}, &Error{Message: fmt.Sprintf("%s: %v", from, err)}
	}

	text, from = env.pick("", "timeout", "CHARTSEAL_TIMEOUT", "", "", "")
	switch {
	case f.TimeoutGiven:
		s.Timeout = f.Timeout
	case text != "":
		if s.Timeout, err = time.ParseDuration(text); err != nil {
			return Settings{}, &Error{Message: fmt.Sprintf("%s: %q is not a duration such as 30s or 5m", from, text)}
		}
	default:
		s.Timeout = file.Timeout
	}
	if s.Timeout < 0 {
		return Settings{}, &Error{Message: "the timeout must not be negative"}
	}
	return s, env.indexing(&s, file, path)
}

// indexing finds the settings of index entries that wait.
func (env Environment) indexing(s *Settings, file configFile, path string) (err error) {
	text, from := env.pick("", "index-wait", "CHARTSEAL_INDEX_WAIT", file.IndexWait, path, "")
	if text != "" {
		if s.IndexWait, err = time.ParseDuration(text); err != nil || s.IndexWait <= 0 {
			return &Error{Message: fmt.Sprintf("%s: %q is not a duration such as 30s or 5m", from, text)}
		}
	}
	switch text, from = env.pick("", "background", "CHARTSEAL_BACKGROUND", file.Background, path, "yes"); text {
	case "yes":
	case "no":
		s.Foreground = true
	default:
		return &Error{Message: fmt.Sprintf("%s: %q is not yes or no", from, text)}
	}
	return nil
}

// pick returns the first of flag, environment, file and default that is not empty, and
// the name of its source.
func (env Environment) pick(flag, name, variable, inFile, path, def string) (value, from string) {
	switch {
	case flag != "":
		return flag, "--" + name
	case env.Getenv(variable) != "":
		return env.Getenv(variable), variable
	case inFile != "":
		return inFile, name + " in " + path
	}
	return def, "the default"
}

// config reads the configuration file. If there is none, the configuration is empty.
func (env Environment) config(f Flags) (path string, c configFile, err error) {
	path, _ = env.pick(f.Config, "config", "CHARTSEAL_CONFIG", "", "", "")
	if f.ConfigGiven && path == "" {
		return "", c, &Error{Message: "--config needs a file name"}
	}
	if path != "" {
		c, err = parseConfig(path)
		return path, c, err
	}
	for _, path := range env.usualConfigs() {
		c, err := parseConfig(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return path, c, err
	}
	return "", configFile{}, nil
}

func (env Environment) usualConfigs() []string {
	var paths []string
	if home := env.configHome(); home != "" {
		paths = append(paths, filepath.Join(home, "chartseal", "config.yaml"))
	}
	if env.ExeDir != "" {
		paths = append(paths, filepath.Join(env.ExeDir, "chartseal.yaml"))
	}
	return paths
}

// configHome follows the XDG base directory specification, in which a relative path is
// not valid.
func (env Environment) configHome() string {
	if dir := env.Getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	if home := env.Getenv("HOME"); home != "" {
		return filepath.Join(home, ".config")
	}
	return ""
}

func (env Environment) defaultWallet() string {
	if home := env.configHome(); home != "" {
		return filepath.Join(home, "chartseal", "wallet")
	}
	return ""
}

// A configFile is the YAML configuration file. A relative wallet is relative to the file.
type configFile struct {
	User    string        `yaml:"user"`
	Wallet  string        `yaml:"wallet"`
	Scope   string        `yaml:"scope"`
	Index   string        `yaml:"index"`
	Timeout time.Duration `yaml:"timeout"`

	IndexWait  string `yaml:"index-wait"`
	Background string `yaml:"background"`
}

func parseConfig(path string) (configFile, error) {
	var c configFile
	f, err := os.Open(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) { // an empty file is an empty configuration
		return c, &Error{
			Message: fmt.Sprintf("configuration %s: %s", path, yamlMessage(err)),
			Hint:    "a configuration file may have user, wallet, scope, index, index-wait, background and timeout, each with one value",
		}
	}
	if c.Wallet != "" && !filepath.IsAbs(c.Wallet) {
		c.Wallet = filepath.Join(filepath.Dir(path), c.Wallet)
	}
	return c, nil
}

// yamlMessage is the first complaint of the YAML decoder without the names of our types.
func yamlMessage(err error) string {
	var e *yaml.TypeError
	if errors.As(err, &e) && len(e.Errors) > 0 {
		message, _, _ := strings.Cut(e.Errors[0], " in type ")
		return message
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}
