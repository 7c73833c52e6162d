package file

import "sluice/pipeline"

// Folder is what the sink needs of a directory.
type Folder = folder

// NewFile is a file on its way.
type NewFile = newFile

// On makes a sink write into another folder.
func On(s pipeline.Sink, f Folder) pipeline.Sink {
	plain, ok := s.(*sink)
	if !ok {
		plain = s.(mirroring).sink
	}
	plain.open = func() (folder, error) { return f, nil }
	return s
}
