# sh curl.sh http://127.0.0.1:3000/rooms/my-room: each line could as well be typed at another machine
url=$1
mkdir -p there && echo "Dear Ada" > letter.txt

curl -sSf "$url/letter.txt?wait=10m" -o there/letter.txt &  # waits for the file, accepts it, takes it
curl -sS -T letter.txt "$url/"                              # sends it; the answer says who has it
wait

curl -sSf "$url/here.tar?wait=10m" | tar -x -C there &      # a pipe: nobody knows its size before its end
tar -c letter.txt | curl -sS -T - "$url/here.tar"
wait
