package exporter

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/chartseal/chartseal/chaincode/ledger"
	"github.com/chartseal/chartseal/client"
)

// A Row says what was exported of a record. Rows are lines of JSON that begin with
// Record, Version and Form.
type Row struct {
	Record    string   `json:"record"`
	Version   int      `json:"version"`
	Form      Form     `json:"form"`
	Access    string   `json:"access"` // id of the access entry
	Home      string   `json:"home"`
	Sealed    string   `json:"sealed"`         // when that version was sealed
	Date      string   `json:"date,omitempty"` // of the content, YYYY-MM-DD
	Kind      string   `json:"kind,omitempty"`
	Size      int64    `json:"size"` // bytes of the content, or of the payload
	Name      string   `json:"name,omitempty"`
	MediaType string   `json:"mediaType,omitempty"`
	SHA256    string   `json:"sha256,omitempty"`
	Patient   string   `json:"patient,omitempty"`
	Codes     []string `json:"codes,omitempty"`
	Author    string   `json:"author,omitempty"`
	Signed    *bool    `json:"signed,omitempty"` // the author's signature was verified

	Envelope string `json:"envelope,omitempty"` // names of files
	Payload  string `json:"payload,omitempty"`
	File     string `json:"file,omitempty"`

	// A row of [Lines] ends with the content: as the value of "resource" if it is JSON of
	// at most 16 MiB, and otherwise in base64 as that of "data", as in a FHIR Binary.
}

// maxResource bounds the JSON that is held in memory to become part of a row, in bytes.
const maxResource = 16 << 20

// A RowFile holds rows. An os.File is one.
type RowFile interface {
	io.ReadWriteSeeker
	Truncate(size int64) error
	Sync() error
}

// A version is of a record.
type version struct {
	id     string
	number int
}

// writeRow appends a row and syncs it. If it fails, nothing of the row is left.
func writeRow(f RowFile, row Row, content io.ReadSeeker) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	if err := formatRow(out, row, content); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	if err := errors.Join(out.Flush(), f.Sync()); err != nil {
		return errors.Join(err, f.Truncate(end))
	}
	return nil
}

func formatRow(out *bufio.Writer, row Row, content io.ReadSeeker) error {
	text, err := json.Marshal(row)
	if err != nil {
		return err
	}
	if content != nil {
		out.Write(bytes.TrimSuffix(text, []byte("}")))
		if err := writeContent(out, row, content); err != nil {
			return err
		}
		text = []byte("}")
	}
	out.Write(text)
	return out.WriteByte('\n')
}

func writeContent(out *bufio.Writer, row Row, content io.ReadSeeker) error {
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if strings.Contains(row.MediaType, "json") && row.Size <= maxResource {
		text, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		var line bytes.Buffer
		if json.Compact(&line, text) == nil {
			out.WriteString(`,"resource":`)
			_, err := line.WriteTo(out)
			return err
		}
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	out.WriteString(`,"data":"`)
	encoder := base64.NewEncoder(base64.StdEncoding, out)
	if _, err := io.Copy(encoder, content); err != nil {
		return err
	}
	if err := encoder.Close(); err != nil {
		return err
	}
	_, err := out.WriteString(`"`)
	return err
}

var rowKey = []byte(`{"record":"`)

var rowStart = regexp.MustCompile(`^\{"record":"([0-9a-f]{32})","version":([0-9]{1,9}),"form":"([a-z]+)",`)

// openRows reads which versions have rows, all of one form, and cuts off a last row that
// was not written to its end.
func openRows(f RowFile, form Form) (map[version]bool, error) {
	have := make(map[version]bool)
	in := bufio.NewReader(f)
	var complete int64
	for number := 1; ; number++ {
		start, length, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		ended := err == nil
		found := rowStart.FindSubmatch(start)
		if ended && found == nil || !ended && !bytes.HasPrefix(start, rowKey) && !bytes.HasPrefix(rowKey, start) {
			return nil, ledger.Errorf(client.ErrInvalid, "line %d is no row of an export", number)
		}
		if !ended {
			break
		}
		if got := Form(found[3]); got != form {
			return nil, ledger.Errorf(client.ErrInvalid, "line %d is a row of another export: %s, not %s", number, got, form)
		}
		n, err := strconv.Atoi(string(found[2]))
		if err != nil {
			return nil, err
		}
		have[version{string(found[1]), n}] = true
		complete += length
	}
	if err := f.Truncate(complete); err != nil {
		return nil, fmt.Errorf("cut off an incomplete row: %w", err)
	}
	return have, nil
}

// readLine returns the beginning of a line and its length. The error is io.EOF if the
// line has no end.
func readLine(in *bufio.Reader) (start []byte, length int64, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if length == 0 {
			start = bytes.Clone(part[:min(len(part), 128)])
		}
		length += int64(len(part))
		if !errors.Is(err, bufio.ErrBufferFull) {
			return start, length, err
		}
	}
}

// readRows hands over the rows, without contents, in the order in which they were
// written.
func readRows(f RowFile, handle func(Row) error) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d := json.NewDecoder(f)
	for {
		var row Row
		if err := d.Decode(&row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return ledger.Errorf(client.ErrInvalid, "a row of the export cannot be read: %v", err)
		}
		if err := handle(row); err != nil {
			return err
		}
	}
}
