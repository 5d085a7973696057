//go:build tools

// Package kubo pins the IPFS node that a network runs.
package kubo

import _ "github.com/ipfs/kubo/cmd/ipfs"
