package demo

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
)

// A sample is a file to seal.
type sample struct {
	path string
	kind string // as package emr recognises it
	code string // a query term for one of its codes; empty if it has none
}

// eachFormat is the most files of one format that the demonstration takes from a
// directory.
const eachFormat = 6

// errNoRecords reports a directory without records.
var errNoRecords = errors.New("no records")

// choose takes a few files of each format from the directory of records, or writes the
// demonstration's own.
func (d *demo) choose() error {
	if d.Data == "" {
		paths, err := writeSamples(filepath.Join(d.Work, "records"))
		if err != nil {
			return err
		}
		for _, p := range paths {
			s, err := look(p)
			if err != nil {
				return err
			}
			d.files = append(d.files, s)
		}
		d.say("   %d records of our own: FHIR bundles, and a study of %d MiB (DATA=dir takes yours)\n", len(d.files), largeSize>>20)
		return nil
	}
	if _, err := os.Stat(d.Data); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s does not exist", errNoRecords, d.Data)
	}
	formats, total, err := survey(d.Data)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(formats))
	for name := range formats {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		taken := spread(formats[name], eachFormat)
		d.files = append(d.files, taken...)
		d.say("     %-8s %4d files, %d taken\n", name, len(formats[name]), len(taken))
	}
	if len(d.files) == 0 {
		return fmt.Errorf("%w: %s has no files that can be read", errNoRecords, d.Data)
	}
	d.say("   %d of the %d files in %s, up to %d of each format\n", len(d.files), total, d.Data, eachFormat)
	return nil
}

// survey walks a directory and sorts its files by format. FHIR bundles count as a format
// of their own.
func survey(dir string) (formats map[string][]sample, total int, err error) {
	formats = make(map[string][]sample)
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		s, err := look(path)
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		total++
		format, _, _ := strings.Cut(s.kind, ":")
		if s.kind == "fhir:Bundle" {
			format = "bundle"
		}
		formats[format] = append(formats[format], s)
		return nil
	})
	return formats, total, err
}

// spread takes n of list, evenly.
func spread(list []sample, n int) []sample {
	if len(list) <= n {
		return list
	}
	out := make([]sample, n)
	for i := range out {
		out[i] = list[i*len(list)/n]
	}
	return out
}

// look recognises the format of a file by its content.
func look(path string) (sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return sample{}, err
	}
	defer f.Close()
	doc, err := emr.Extract(context.Background(), f)
	if err != nil {
		return sample{}, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return sample{}, err
	}
	s := sample{path: abs, kind: doc.Kind}
	for _, c := range doc.Codes {
		if strings.Contains(c.System, "loinc") {
			s.code = "loinc:" + c.Code
			break
		}
	}
	return s, nil
}

// blockFile finds the file in which a hospital's IPFS node keeps the first block of a
// CID: the node's blockstore names files by the multihash in upper-case base32.
func (d *demo) blockFile(hospital, cid string) (string, error) {
	encoding := base32.StdEncoding.WithPadding(base32.NoPadding)
	raw, err := encoding.DecodeString(strings.ToUpper(strings.TrimPrefix(cid, "b")))
	if err != nil || len(raw) < 3 {
		return "", fmt.Errorf("CID %s is not in base32", cid)
	}
	name := encoding.EncodeToString(raw[2:]) + ".data" // without version and codec, one byte each
	var found string
	err = filepath.WalkDir(filepath.Join(d.Dir, "orgs", hospital, "ipfs", "blocks"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == name {
			found = path
			return fs.SkipAll
		}
		return err
	})
	if err == nil && found == "" {
		err = fmt.Errorf("the IPFS node of %s does not hold %s", hospital, cid)
	}
	return found, err
}
