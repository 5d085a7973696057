package emr

import (
	"io"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

func isBinary([]byte) strength { return anyBytes }

// archives are media types whose contents are other files, or compressed.
var archives = set("application/zip", "application/gzip", "application/x-tar", "application/x-7z-compressed", "application/x-bzip2",
	"application/x-xz", "application/zstd", "application/x-rar-compressed", "application/x-compress", "application/lzip",
	"application/jar", "application/java-archive", "application/x-cpio", "application/x-archive", "application/vnd.ms-cab-compressed", "application/vnd.android.package-archive")

// readBinary takes no facts, only the media type.
func readBinary(in *input, b *builder) error {
	head := in.head()
	if len(head) == 0 {
		return nil
	}
	b.doc.MediaType, _, _ = strings.Cut(mimetype.Detect(head).String(), ";")
	if archives[b.doc.MediaType] {
		b.partial("an archive, or compressed: its contents were not read; an import reads them")
	}
	if b.doc.MediaType == "application/octet-stream" { // it may hold anything
		return b.findMarksInRest(in, zipMarks...)
	}
	begin, _ := in.Peek(inputSize)
	b.findMarks(begin)
	return nil
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
