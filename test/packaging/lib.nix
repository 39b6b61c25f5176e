# As much of nixpkgs' lib as our modules use, so that they can be evaluated where there is no nixpkgs. It knows no types: whether an option
# exists and takes such a value is looked up in data (nix-darwin-options.json), and by the real thing where that is.
rec {
  types = {
    bool = "bool";
    str = "str";
    int = "int";
    port = "port";
    package = "package";
    anything = "anything";
    ints.positive = "positive";
    listOf = type: "list of ${type}";
    attrsOf = type: "attrs of ${type}";
    nullOr = type: "null or ${type}";
    enum = words: "one of ${builtins.concatStringsSep ", " words}";
  };
  mkOption = option: option // { _type = "option"; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkMerge = contents: { _type = "merge"; inherit contents; };
  mkAfter = content: content;

  optionalAttrs = condition: set: if condition then set else { };
  optionalString = condition: text: if condition then text else "";
  filterAttrs = keep: set: builtins.listToAttrs (builtins.concatMap
    (name: if keep name set.${name} then [{ inherit name; value = set.${name}; }] else [ ])
    (builtins.attrNames set));
  mapAttrsToList = make: set: map (name: make name set.${name}) (builtins.attrNames set);
  unique = builtins.foldl' (known: word: if builtins.elem word known then known else known ++ [ word ]) [ ];
  concatStringsSep = builtins.concatStringsSep;
  escapeShellArg = text: "'${builtins.replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
  makeBinPath = packages: concatStringsSep ":" (map (each: "${each}/bin") packages);
  hm.dag.entryBetween = _: _: text: text;

  # What a module sets, with its conditions decided: a list of sets, in their order.
  decided = value:
    if !(builtins.isAttrs value) then [ value ]
    else if (value._type or "") == "if" then (if value.condition then decided value.content else [ ])
    else if (value._type or "") == "merge" then builtins.concatMap decided value.contents
    else [ (decidedIn value) ];
  decidedIn = set: builtins.listToAttrs (builtins.concatMap
    (name: map (value: { inherit name value; }) (decided set.${name}))
    (builtins.attrNames set));

  # The defaults of its options, with what a user says over them.
  configured = declared: said: builtins.mapAttrs
    (name: option:
      if (option._type or "") == "option" then said.${name} or (option.default or null)
      else configured option (said.${name} or { }))
    declared;
}
