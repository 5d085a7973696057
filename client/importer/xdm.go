package importer

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/chartseal/chartseal/client/emr"
)

// A medium of IHE XDM, on a disk or in an archive, has a file METADATA.XML in each folder
// below IHE_XDM. It labels the documents of the folder. The strictest of these labels
// holds for all files of the medium. A METADATA.XML elsewhere holds for its folder.
const (
	xdmFolder   = "IHE_XDM"
	xdmMetadata = "METADATA.XML"
)

// mediumOf returns the root of the medium to which a file belongs that labels it. It
// reports false for other files.
func mediumOf(name string) (root string, ok bool) {
	if !strings.EqualFold(path.Base(name), xdmMetadata) {
		return "", false
	}
	folder := path.Dir(name)
	if around := path.Dir(folder); strings.EqualFold(path.Base(around), xdmFolder) {
		return path.Dir(around), true
	}
	return folder, true
}

// labelsOf returns what a METADATA.XML says of the files of its medium. It returns nil if
// it is another format's.
func labelsOf(ctx context.Context, f *file, inFolder bool) *emr.Document {
	in, err := f.open()
	if err != nil {
		return unread("its " + xdmMetadata + " could not be read")
	}
	defer in.Close()
	if len(f.steps) > 0 {
		f.left.bytes -= in.size
	}
	d, err := emr.Extract(ctx, io.NewSectionReader(in, 0, in.size))
	var labels emr.Document
	switch {
	case err != nil || (inFolder || len(d.Incomplete) > 0) && d.Kind != "xds-metadata":
		return unread("its " + xdmMetadata + " could not be read")
	case d.Kind != "xds-metadata":
		return nil
	}
	inherit(&labels, &d, xdmMetadata)
	return &labels
}

// unread returns what is known of a container that was not read in full.
func unread(reason string) *emr.Document { return &emr.Document{Incomplete: []string{reason}} }

// A mediaLabels has what the media in an archive say of their files, by their roots.
type mediaLabels map[string]*emr.Document

func (w *walker) mediaInArchive(ctx context.Context, f file, files []packed) mediaLabels {
	all := make(mediaLabels)
	for _, p := range files {
		root, ok := mediumOf(p.name)
		if !ok {
			continue
		}
		labels := unread("its " + xdmMetadata + " could not be read")
		if p.reason == nil {
			inner := f.in(p.step, path.Join(f.name, p.name))
			labels = labelsOf(ctx, &inner, root != path.Dir(p.name))
		}
		all.add(root, labels)
	}
	return all
}

func (m mediaLabels) add(root string, labels *emr.Document) {
	if labels == nil {
		return
	}
	if m[root] == nil {
		m[root] = &emr.Document{}
	}
	inherit(m[root], labels, "its medium")
}

// of adds what the media around a file say of it.
func (m mediaLabels) of(name string, within []*emr.Document) []*emr.Document {
	if len(m) == 0 {
		return within
	}
	for folder := path.Dir(name); ; folder = path.Dir(folder) {
		if labels := m[folder]; labels != nil {
			within = append(within[:len(within):len(within)], labels)
		}
		if folder == "." {
			return within
		}
	}
}

// mediumOnDisk adds what a directory says of its files, if it is a medium, or a part of
// one.
func (w *walker) mediumOnDisk(ctx context.Context, dir string, within []*emr.Document) []*emr.Document {
	found := make(mediaLabels)
	inFolder := strings.EqualFold(filepath.Base(filepath.Dir(dir)), xdmFolder)
	eachName(dir, func(name string) {
		at := filepath.Join(dir, name)
		switch {
		case strings.EqualFold(name, xdmMetadata):
			found.add(".", diskLabels(ctx, at, inFolder))
		case strings.EqualFold(name, xdmFolder):
			eachName(at, func(folder string) {
				eachName(filepath.Join(at, folder), func(name string) {
					if strings.EqualFold(name, xdmMetadata) {
						found.add(".", diskLabels(ctx, filepath.Join(at, folder, name), true))
					}
				})
			})
		}
	})
	return found.of("file", within)
}

func diskLabels(ctx context.Context, at string, inFolder bool) *emr.Document {
	info, err := os.Lstat(at)
	if err != nil || !info.Mode().IsRegular() {
		return unread("its " + xdmMetadata + " could not be read")
	}
	return labelsOf(ctx, &file{path: at, info: info}, inFolder)
}

// eachName calls each for the names in a directory. A directory that cannot be read has
// none: its files are not read either.
func eachName(dir string, each func(name string)) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(dirChunk)
		for _, e := range entries {
			each(e.Name())
		}
		if err != nil {
			return
		}
	}
}
