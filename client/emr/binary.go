package emr

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

func isBinary([]byte) strength { return anyBytes }

// readBinary takes no facts, only the media type.
func readBinary(in *input, b *builder) error {
	if head := in.head(); len(head) > 0 {
		b.doc.MediaType, _, _ = strings.Cut(mimetype.Detect(head).String(), ";")
	}
	return nil
}
