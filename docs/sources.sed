# For scripts/docs: links to what is no page lead to the copies of the sources beside the HTML.
s@\]\(((\.\./)*)([^):#]+\.md)([)#])@](\x01\1\3\4@g
s@\]\((\.\./)*([^):#\x01]+)\)@](sources/\2)@g
s@\x01@@g
