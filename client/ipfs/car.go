package ipfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"

	"github.com/ipfs/boxo/files"
	"github.com/ipfs/go-cid"

	"github.com/chartseal/chartseal/chaincode/ledger"
)

// carReader encodes blocks as a CAR file, version 1
// (https://ipld.io/specs/transport/car/carv1/). The header is {"roots": [root],
// "version": 1} in DAG-CBOR. Each block is preceded by its CID, and both by their length.
// Accept must have taken the root: its CID has 36 bytes.
func carReader(root cid.Cid, blocks []block) io.Reader {
	header := append([]byte("\xa2\x65roots\x81\xd8\x2a\x58\x25\x00"), root.Bytes()...)
	header = append(header, "\x67version\x01"...)
	parts := []io.Reader{bytes.NewReader(append(binary.AppendUvarint(nil, uint64(len(header))), header...))}
	for _, b := range blocks {
		id := b.cid.Bytes()
		length := binary.AppendUvarint(nil, uint64(len(id)+len(b.data)))
		parts = append(parts, bytes.NewReader(append(length, id...)), bytes.NewReader(b.data))
	}
	return io.MultiReader(parts...)
}

// importBlocks stores blocks without pinning them. The node refuses a block that does not
// match its CID.
func (s *Store) importBlocks(ctx context.Context, root cid.Cid, blocks []block) error {
	body := files.NewSliceDirectory([]files.DirEntry{files.FileEntry("car", files.NewReaderFile(carReader(root, blocks)))})
	resp, err := s.api.Request("dag/import").Option("pin-roots", false).Option("stats", true).
		Body(files.NewMultiFileReader(body, false, false)).Send(ctx)
	if err != nil {
		return err
	}
	if resp.Error != nil {
		return resp.Error
	}
	defer resp.Close()
	var out struct{ Stats struct{ BlockCount int } }
	if err := json.NewDecoder(resp.Output).Decode(&out); err != nil {
		return err
	}
	if out.Stats.BlockCount != len(blocks) {
		return ledger.Errorf(ledger.ErrTampered, "the IPFS node %s stored %d of %d blocks", s.address, out.Stats.BlockCount, len(blocks))
	}
	return nil
}
