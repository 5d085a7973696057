// Package abe is multi-authority attribute-based encryption for age files.
package abe
