"""From a source system to deeds: readers, mappings, REST pull, signed pushes."""
